"""A job that ran out of memory says with what changes it should fit; whatever becomes of the advice, the report is taken."""

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from tunesmith import apply_fixes
from tunesmith.config.v1 import optimizations_pb2
from tunesmith.job.v1 import job_pb2
from tunesmith.job.v1 import job_state_pb2 as states
from tunesmith.pool.v1 import pool_pb2
from tunesmith.preflight.v1 import finding_pb2
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.job.preflight import Preflight
from tests.unit.services.job.conftest import POOL, House
from tests.unit.services.preflight.known import LLAMA_2_7B

GIB = 1024**3
SAID = "the machine ran out of memory; lower schedule.batch_size or schedule.sequence_length"


def failed(reason: str = "OUT_OF_MEMORY") -> door.Outcome:
    status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message=SAID)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="tunesmith"))
    return door.Outcome(failed=status)


def reason_of(job: job_pb2.Job) -> str:
    info = error_details_pb2.ErrorInfo()
    assert job.error.details[0].Unpack(info)
    return info.reason


async def run_out(house: House, outcome: door.Outcome, gigabytes: int = 80) -> job_pb2.Job:
    """A job on a GPU, which by the estimate is large enough, as it stands after its attempt ended."""
    model = base_model_pb2.BaseModel()
    model.CopyFrom(LLAMA_2_7B)
    model.id, model.cache_status = "model", base_model_pb2.CACHE_STATUS_CACHED
    house.registry.base_models["model"] = model
    device = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CUDA, name="some GPU", memory_bytes=gigabytes * GIB)
    await house.worker.RegisterPool(door.RegisterPoolRequest(pool_id=POOL, providers=["local"], ready=True, devices=[device]))
    job = await house.create(accept_warnings=True)
    lease = (await house.worker.Lease(door.LeaseRequest(pool_id=POOL))).assignment.lease
    await house.report(lease, 1, outcome=outcome)
    return await house.get(job.id)


async def test_the_job_carries_what_should_fit_and_its_error_names_it(house: House) -> None:
    job = await run_out(house, failed())
    assert (job.state, reason_of(job)) == (states.JOB_STATE_FAILED, "OUT_OF_MEMORY")
    assert job.error_fix.label == "Switch on gradient checkpointing"
    told = "the machine ran out of memory; switch on gradient checkpointing: that should fit, and error_fix has the changes"
    assert job.error.message == told
    assert (await house.events(job.id))[-1] == told
    # A client applies it as any other fix, and creates the job again.
    changed = apply_fixes(job.configuration, [finding_pb2.Finding(fix=job.error_fix)])
    assert optimizations_pb2.OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING in changed.optimizations.enabled


async def test_another_failure_asks_nobody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(*arguments: object) -> None:
        raise AssertionError("preflight was asked")

    monkeypatch.setattr(Preflight, "what_fits", ask)
    job = await run_out(house, failed("LOSS_NOT_FINITE"))
    assert (job.error.message, job.HasField("error_fix")) == (SAID, False)


async def test_a_report_is_taken_though_preflight_is_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(grpc.aio.AioRpcError):
        def __init__(self) -> None:
            super().__init__(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "away")

    async def ask(*arguments: object) -> None:
        raise Away

    monkeypatch.setattr(Preflight, "what_fits", ask)
    job = await run_out(house, failed())
    assert (job.state, job.error.message, job.HasField("error_fix")) == (states.JOB_STATE_FAILED, SAID, False)


async def test_a_model_of_unknown_size_gets_no_fix(house: House) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    await house.report(lease, 1, outcome=failed())
    job = await house.get(job.id)
    assert (job.error.message, job.HasField("error_fix")) == (SAID, False)
