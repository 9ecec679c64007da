"""Calls of both clients over a real server: typed errors, request ids, what is repeated and what is not."""

import socket
from io import BytesIO
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2
from tunesmith import (
    AlreadyExists,
    AsyncTunesmith,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Tunesmith,
    TunesmithError,
    Unavailable,
    Unimplemented,
    Violation,
)
from tunesmith.config.v1 import job_configuration_pb2, model_pb2
from tunesmith.job.v1 import job_pb2, job_state_pb2
from tunesmith.job.v1.job_service_pb2 import ListJobsRequest
from tunesmith.registry.v1 import dataset_pb2

from tests.unit.sdk.conftest import Ask, FailingPlane


async def test_an_answer(ask: Ask, plane: FailingPlane) -> None:
    plane.jobs.append(job_pb2.Job(id="j1"))
    assert (await ask(lambda client: client.jobs.get_job(id="j1"))).job.id == "j1"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (code_pb2.NOT_FOUND, NotFound),
        (code_pb2.FAILED_PRECONDITION, FailedPrecondition),
        (code_pb2.ALREADY_EXISTS, AlreadyExists),
        (code_pb2.UNIMPLEMENTED, Unimplemented),
        (code_pb2.UNAVAILABLE, Unavailable),
    ],
)
async def test_an_error_has_its_class_code_reason_and_metadata(
    ask: Ask, plane: FailingPlane, code: int, kind: type[TunesmithError]
) -> None:
    info = error_details_pb2.ErrorInfo(reason="BECAUSE", metadata={"job": "j1"})
    plane.refuse(code, "a sentence; do this next", info)
    with pytest.raises(kind) as caught:
        await ask(lambda client: client.jobs.get_job(id="j1"))
    assert type(caught.value) is kind
    assert caught.value.code.value[0] == code
    assert (str(caught.value), caught.value.message) == ("a sentence; do this next",) * 2
    assert (caught.value.reason, caught.value.metadata) == ("BECAUSE", {"job": "j1"})


async def test_violations(ask: Ask, plane: FailingPlane) -> None:
    plane.refuse_fields(("page_size", "must be at most 200"), ("order_by", "order_by takes create_time"))
    with pytest.raises(InvalidArgument) as caught:
        await ask(lambda client: client.jobs.list_jobs())
    assert caught.value.violations == [
        Violation("page_size", "must be at most 200"),
        Violation("order_by", "order_by takes create_time"),
    ]
    assert str(caught.value) == "page_size: must be at most 200; order_by takes create_time"


async def test_a_code_without_a_class_of_its_own(ask: Ask, plane: FailingPlane) -> None:
    plane.refuse(code_pb2.DATA_LOSS, "gone")
    with pytest.raises(TunesmithError) as caught:
        await ask(lambda client: client.jobs.get_job(id="j1"))
    assert caught.value.code is grpc.StatusCode.DATA_LOSS


async def test_a_stream_that_is_refused(ask: Ask, plane: FailingPlane) -> None:
    plane.refuse(code_pb2.NOT_FOUND, "job 'j1' does not exist")

    def read(client: Any) -> Any:
        stream = client.jobs.watch_job(id="j1")
        return next(stream) if isinstance(client, Tunesmith) else anext(stream)

    with pytest.raises(NotFound, match="job 'j1' does not exist"):
        await ask(read)


async def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with Tunesmith(address) as client, pytest.raises(Unavailable, match=f"no Tunesmith server answers at {address}"):
        client.jobs.list_jobs()
    async with AsyncTunesmith(address) as async_client:
        with pytest.raises(Unavailable, match="make up"):
            await async_client.jobs.list_jobs()


async def test_a_deadline(ask: Ask, plane: FailingPlane) -> None:
    plane.endless = True

    def read(client: Any) -> Any:
        stream = client.jobs.watch_job(id="j1", timeout=0.1)
        return next(stream) if isinstance(client, Tunesmith) else anext(stream)

    with pytest.raises(DeadlineExceeded, match="did not answer in time"):
        await ask(read)


async def test_a_write_is_named_and_every_write_anew(ask: Ask, plane: FailingPlane) -> None:
    plane.jobs.append(job_pb2.Job(id="j1"))
    await ask(lambda client: client.jobs.pause_job(id="j1"))
    await ask(lambda client: client.jobs.pause_job(id="j1"))
    await ask(lambda client: client.jobs.pause_job(id="j1", request_id="mine"))
    first, second, third = (request.request_id for request in plane.requests)
    assert len(first) == len(second) == 36
    assert first != second
    assert third == "mine"


async def test_a_write_is_repeated_under_one_name_while_the_server_is_away(ask: Ask, plane: FailingPlane) -> None:
    plane.jobs.append(job_pb2.Job(id="j1"))
    plane.failures = 3
    answer = await ask(lambda client: client.jobs.create_job(provider="local", configuration={}))
    assert answer.job.id == "j1"
    assert len(plane.requests) == 4
    assert len({request.request_id for request in plane.requests}) == 1


async def test_repeating_ends(ask: Ask, plane: FailingPlane) -> None:
    plane.failures = 9
    with pytest.raises(Unavailable, match="restarting"):
        await ask(lambda client: client.jobs.get_job(id="j1"))
    assert len(plane.requests) == 4


async def test_an_upload_is_not_repeated(ask: Ask, plane: FailingPlane) -> None:
    plane.datasets.append(dataset_pb2.Dataset(id="d1"))
    plane.failures = 1
    with pytest.raises(Unavailable):
        await ask(lambda client: client.upload_dataset(BytesIO(b"{}\n"), filename="a.jsonl"))
    assert len(plane.requests) == 1
    assert (await ask(lambda client: client.upload_dataset(BytesIO(b"{}\n"), filename="a.jsonl"))).id == "d1"


async def test_a_configuration_as_a_message_and_as_json_is_the_same(ask: Ask, plane: FailingPlane) -> None:
    plane.jobs.append(job_pb2.Job(id="j1"))
    message = job_configuration_pb2.JobConfiguration(
        model=model_pb2.Model(base_model="m", precision=model_pb2.MODEL_PRECISION_BF16)
    )
    as_json = {"model": {"base_model": "m", "precision": "MODEL_PRECISION_BF16"}}
    for configuration in (message, as_json):
        await ask(lambda client, given=configuration: client.jobs.create_job(provider="local", configuration=given))
    assert [request.configuration for request in plane.requests] == [message, message]


async def test_what_does_not_fit_is_refused_before_it_is_sent(ask: Ask, plane: FailingPlane) -> None:
    wrong = {"optimizer": {"lerning_rate": 1}, "schedule": {"epochs": "three"}}
    with pytest.raises(InvalidArgument) as caught:
        await ask(lambda client: client.jobs.create_job(provider="local", configuration=wrong))
    assert [one.field for one in caught.value.violations] == [
        "configuration.optimizer.lerning_rate",
        "configuration.schedule.epochs",
    ]
    assert "did you mean learning_rate?" in str(caught.value)
    assert plane.requests == []


@pytest.mark.parametrize("state", ["JOB_STATE_RUNNING", job_state_pb2.JOB_STATE_RUNNING, 3])
async def test_an_enum_by_name_and_by_number(ask: Ask, plane: FailingPlane, state: Any) -> None:
    await ask(lambda client: client.jobs.list_jobs(states=[state]))
    assert list(plane.requests[0].states) == [job_state_pb2.JobState.Value("JOB_STATE_RUNNING") if state != 3 else 3]


async def test_a_list_may_be_any_sequence(ask: Ask, plane: FailingPlane) -> None:
    running = (job_state_pb2.JOB_STATE_RUNNING,)
    for states in (running, ListJobsRequest(states=running).states):
        await ask(lambda client, given=states: client.jobs.list_jobs(states=given))
    assert [tuple(request.states) for request in plane.requests] == [running, running]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"states": "JOB_STATE_RUNNING"}, "states: takes a list"),
        ({"states": ["RUNNING"]}, r"states\[0\]: 'RUNNING' is none of its values; did you mean JOB_STATE_RUNNING\?"),
        ({"page_size": "many"}, "page_size: takes a whole number"),
        ({"provider": job_pb2.Job()}, "provider: takes a plain value; got a Job"),
    ],
)
async def test_arguments_that_do_not_fit(ask: Ask, plane: FailingPlane, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        await ask(lambda client: client.jobs.list_jobs(**arguments))
    assert plane.requests == []
