"""Lists of jobs: what is found, how much of each, and page after page."""

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from tunesmith.job.v1 import job_pb2, job_service_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.job import storage
from tests.unit.services.job.conftest import House

LEFT_OUT = ("configuration", "resolved_configuration", "lowering")


async def listed(house: House, **fields: object) -> list[job_pb2.Job]:
    return list((await house.jobs.ListJobs(job_service_pb2.ListJobsRequest(**fields))).jobs)


async def names(house: House, search: str) -> list[str]:
    return [job.display_name for job in await listed(house, search=search, order_by="create_time")]


async def test_the_basic_view_is_all_but_configurations_and_lowering(house: House) -> None:
    await house.create()
    lease = (await house.lease()).lease
    await house.report(lease, 1, progress=door.Progress(step=3, total_steps=4, epoch=0.5, estimated_remaining_seconds=9))
    await house.report(
        lease, 2, measured=job_pb2.JobFigures(peak_memory_bytes=7), outcome=door.Outcome(succeeded=door.Succeeded())
    )
    (full,) = await listed(house)
    assert await listed(house, view=job_service_pb2.JOB_VIEW_FULL) == [full]
    assert full == await house.get(full.id)
    assert all(full.HasField(name) for name in LEFT_OUT[:2])
    assert len(full.lowering) > 10
    for name in LEFT_OUT:
        full.ClearField(name)
    (basic,) = await listed(house, view=job_service_pb2.JOB_VIEW_BASIC)
    assert basic == full
    assert len(MessageToDict(basic)) >= 15


async def test_the_basic_view_is_a_fraction_of_the_bytes(house: House) -> None:
    await house.create()
    (full,), (basic,) = await listed(house), await listed(house, view=job_service_pb2.JOB_VIEW_BASIC)
    assert basic.ByteSize() * 5 < full.ByteSize()


def test_the_basic_view_reads_no_configuration() -> None:
    names = {column.name for column in storage.BASIC_COLUMNS}
    assert names == {column.name for column in storage.jobs.c} - {"definition", "inputs"}


async def test_a_search_finds_a_part_of_the_name_in_any_case(house: House) -> None:
    for name in ("Übung one", "übung TWO", "100% of it", "100 of it", "a_b", "aXb", "back\\slash", "slash/ed"):
        await house.create(display_name=name)
    assert len(await names(house, "")) == 8
    assert await names(house, "ÜBUNG") == ["Übung one", "übung TWO"]
    assert await names(house, "ung t") == ["übung TWO"]
    # What means something in a pattern means itself.
    assert await names(house, "0%") == ["100% of it"]
    assert await names(house, "A_B") == ["a_b"]
    assert await names(house, "\\") == ["back\\slash"]
    assert await names(house, "/") == ["slash/ed"]
    assert await names(house, "nothing of the kind") == []
    assert await names(house, "' OR 1=1 --") == []


@pytest.mark.parametrize("view", [job_service_pb2.JOB_VIEW_BASIC, job_service_pb2.JOB_VIEW_FULL])
async def test_pages_of_a_search_have_each_job_once_and_tokens_belong_to_it(house: House, view: job_service_pb2.JobView) -> None:
    for number in range(7):
        await house.create(display_name=f"{'tuned' if number % 2 else 'plain'} {number}")
    request = job_service_pb2.ListJobsRequest(search="TUNED", view=view, page_size=2)
    first = await house.jobs.ListJobs(request)
    request.page_token = first.next_page_token
    second = await house.jobs.ListJobs(request)
    assert [job.display_name for job in (*first.jobs, *second.jobs)] == ["tuned 5", "tuned 3", "tuned 1"]
    assert not second.next_page_token
    for other in ({"search": "plain"}, {"search": ""}, {"provider": "local"}):
        changed = job_service_pb2.ListJobsRequest()
        changed.CopyFrom(request)
        for name, value in other.items():
            setattr(changed, name, value)
        with pytest.raises(grpc.aio.AioRpcError, match="other filters"):
            await house.jobs.ListJobs(changed)


async def test_a_view_that_is_none_is_refused(house: House) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="view: 9 is no value of this enum"):
        await listed(house, view=9)
