"""Histograms are stored as they were taken, each once, and come back page by page."""

import grpc
import pytest
from tunesmith.job.v1 import histogram_pb2, job_service_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.job.usecases import histograms as usecase
from tests.unit.services.job.conftest import House


def histogram(step: int, layer: str, norm: float = 1.0) -> histogram_pb2.WeightHistogram:
    return histogram_pb2.WeightHistogram(layer=layer, step=step, minimum=-1, maximum=1, counts=[1, 2, 3], norm=norm)


async def listed(house: House, job_id: str, **fields: object) -> list[tuple[int, str, float]]:
    """All pages, in the order in which they come."""
    found, token = [], ""
    while True:
        request = job_service_pb2.ListJobHistogramsRequest(job_id=job_id, page_token=token, **fields)
        response = await house.jobs.ListJobHistograms(request)
        found += [(one.step, one.layer, one.norm) for one in response.histograms]
        token = response.next_page_token
        if not token:
            return found


async def leased(house: House) -> door.LeaseToken:
    await house.create()
    return (await house.lease()).lease


async def test_they_come_by_step_and_layer_in_pages(house: House) -> None:
    lease = await leased(house)
    layers = ["b", "a", "c.1"]
    await house.report(lease, 1, histograms=[histogram(0, layer) for layer in layers])
    await house.report(lease, 2, histograms=[histogram(10, layer) for layer in layers])
    everything = [(step, layer, 1.0) for step in (0, 10) for layer in sorted(layers)]
    assert await listed(house, lease.job_id) == everything
    for size in (1, 2, 4, 6):
        assert await listed(house, lease.job_id, page_size=size) == everything
    assert await listed(house, lease.job_id, layer="a", page_size=1) == [(0, "a", 1.0), (10, "a", 1.0)]
    assert await listed(house, lease.job_id, after_step=0) == everything[3:]


async def test_what_was_stored_comes_back_whole(house: House) -> None:
    lease = await leased(house)
    sent = histogram_pb2.WeightHistogram(
        layer="a", step=3, minimum=-2.5, maximum=2.5, counts=range(64), norm=4.5, mean=0.25, standard_deviation=1.5
    )
    await house.report(lease, 1, histograms=[sent])
    response = await house.jobs.ListJobHistograms(job_service_pb2.ListJobHistogramsRequest(job_id=lease.job_id))
    assert list(response.histograms) == [sent]


async def test_a_resumed_attempt_replaces_what_it_takes_again(house: House) -> None:
    lease = await leased(house)
    await house.report(lease, 1, histograms=[histogram(0, "a"), histogram(5, "a"), histogram(5, "b")])
    await house.worker.ReleaseLease(door.ReleaseLeaseRequest(lease=lease, reason="it died"))
    again = (await house.lease()).lease
    await house.report(again, 1, histograms=[histogram(5, "a", 2.0)])
    assert await listed(house, lease.job_id) == [(0, "a", 1.0), (5, "a", 2.0), (5, "b", 1.0)]


async def test_a_report_that_comes_twice_counts_once(house: House) -> None:
    lease = await leased(house)
    for _ in range(2):
        await house.report(lease, 1, histograms=[histogram(0, "a")])
    assert await listed(house, lease.job_id) == [(0, "a", 1.0)]


async def test_a_job_without_any_answers_an_empty_list(house: House) -> None:
    job = await house.create()
    assert await listed(house, job.id) == []
    metrics = await house.jobs.ListJobMetrics(job_service_pb2.ListJobMetricsRequest(job_id=job.id))
    assert not metrics.series


async def test_there_is_a_bound(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usecase, "MOST_HISTOGRAMS_A_JOB", 3)
    lease = await leased(house)
    await house.report(lease, 1, histograms=[histogram(0, "a"), histogram(0, "b"), histogram(0, "c")])
    with pytest.raises(grpc.aio.AioRpcError, match="at most 3 histograms") as refusal:
        await house.report(lease, 2, histograms=[histogram(1, "a")])
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    # Taken again, they take no more room, and the refused report's sequence was not used up.
    await house.report(lease, 2, histograms=[histogram(0, "c", 3.0)])
    assert await listed(house, lease.job_id) == [(0, "a", 1.0), (0, "b", 1.0), (0, "c", 3.0)]


async def test_a_token_of_another_list_is_refused(house: House) -> None:
    lease = await leased(house)
    await house.report(lease, 1, histograms=[histogram(0, "a"), histogram(0, "b")])
    page = await house.jobs.ListJobHistograms(job_service_pb2.ListJobHistogramsRequest(job_id=lease.job_id, page_size=1))
    request = job_service_pb2.ListJobHistogramsRequest(job_id=lease.job_id, layer="b", page_token=page.next_page_token)
    with pytest.raises(grpc.aio.AioRpcError, match="other filters"):
        await house.jobs.ListJobHistograms(request)
    with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
        await house.jobs.ListJobHistograms(job_service_pb2.ListJobHistogramsRequest(job_id="nobody"))
