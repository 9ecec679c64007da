"""A job goes on from a checkpoint that a person chose, or from where another job stood that failed."""

import grpc
import pytest
from google.rpc import code_pb2, status_pb2
from tunesmith.job.v1 import artifact_pb2, job_service_pb2
from tunesmith.job.v1 import job_state_pb2 as states
from tunesmith.worker.v1 import worker_service_pb2 as door

from tests.unit.services.job.conftest import CONFIGURATION, House

CHECKPOINT = artifact_pb2.ARTIFACT_KIND_CHECKPOINT
CHECKPOINT_STATE = artifact_pb2.ARTIFACT_KIND_CHECKPOINT_STATE
TRAINING_STATE = artifact_pb2.ARTIFACT_KIND_TRAINING_STATE
FAILED = door.Outcome(failed=status_pb2.Status(code=code_pb2.INTERNAL, message="it broke"))


async def trained(house: House, outcome: door.Outcome) -> str:
    """A job with two checkpoints, of which the first can be gone on from, as its attempt ended; answers its id."""
    job = await house.create()
    lease = (await house.lease()).lease
    await house.store(lease, "checkpoint-4", kind=CHECKPOINT, step=4)
    await house.store(lease, "checkpoint-4-state", kind=CHECKPOINT_STATE, step=4)
    await house.store(lease, "checkpoint-8", kind=CHECKPOINT, step=8)
    await house.store(lease, "training-state", kind=TRAINING_STATE, step=7)
    if outcome.HasField("paused"):
        await house.jobs.PauseJob(job_service_pb2.PauseJobRequest(id=job.id))
    await house.report(lease, 1, outcome=outcome)
    return job.id


async def file_of(house: House, job_id: str, name: str) -> str:
    listed = await house.jobs.ListArtifacts(job_service_pb2.ListArtifactsRequest(job_id=job_id))
    (file,) = [one.id for one in listed.artifacts if one.path.startswith(f"{name}/")]
    return file


async def state_files(house: House, assignment: door.Assignment) -> list[bytes]:
    """What the worker reads of the state that it is given."""
    contents = []
    for file in assignment.training_state.files:
        request = door.ReadTrainingStateFileRequest(lease=assignment.lease, path=file.path)
        contents.append(b"".join([part.chunk async for part in house.worker.ReadTrainingStateFile(request)]))
    return contents


async def refused(call: object, reason: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=reason):
        await call  # type: ignore[misc]


@pytest.mark.parametrize("name", ["checkpoint-4", "checkpoint-4-state"])
async def test_a_paused_job_goes_back_to_a_checkpoint(house: House, name: str) -> None:
    job_id = await trained(house, door.Outcome(paused=door.Paused()))
    request = job_service_pb2.ResumeJobRequest(id=job_id, from_artifact_id=await file_of(house, job_id, name))
    assert (await house.jobs.ResumeJob(request)).job.state == states.JOB_STATE_QUEUED
    assert (await house.events(job_id))[-1] == "Resumed from step 4; what was trained behind it is trained again."
    first = await house.lease()
    assert first.training_state.step == 4
    assert [file.path for file in first.training_state.files] == ["adapter_model.safetensors"]
    assert await state_files(house, first) == [b"weights"]
    # Once it has a state of its own again, that is where it goes on.
    await house.store(first.lease, "training-state", kind=TRAINING_STATE, step=5)
    await house.worker.ReleaseLease(door.ReleaseLeaseRequest(lease=first.lease, reason="it died"))
    assert (await house.lease()).training_state.step == 5


async def test_without_a_checkpoint_a_job_goes_on_where_it_stands(house: House) -> None:
    job_id = await trained(house, door.Outcome(paused=door.Paused()))
    await house.jobs.ResumeJob(job_service_pb2.ResumeJobRequest(id=job_id))
    assert (await house.lease()).training_state.step == 7


async def test_what_nothing_can_go_on_from_is_refused(house: House) -> None:
    job_id = await trained(house, door.Outcome(paused=door.Paused()))
    weights_alone = await file_of(house, job_id, "checkpoint-8")
    resume = job_service_pb2.ResumeJobRequest
    await refused(house.jobs.ResumeJob(resume(id=job_id, from_artifact_id=weights_alone)), "no training state beside it")
    await refused(house.jobs.ResumeJob(resume(id=job_id, from_artifact_id="nothing")), "does not exist")
    other = await house.create()
    await house.jobs.PauseJob(job_service_pb2.PauseJobRequest(id=other.id))
    checkpoint = await file_of(house, job_id, "checkpoint-4")
    await refused(house.jobs.ResumeJob(resume(id=other.id, from_artifact_id=checkpoint)), f"one of job {job_id}")
    await house.jobs.ResumeJob(resume(id=other.id))
    await refused(house.jobs.ResumeJob(resume(id=other.id, from_artifact_id=checkpoint)), "pause it first")
    # Nothing of all this changed the job.
    assert (await house.get(job_id)).state == states.JOB_STATE_PAUSED


@pytest.mark.parametrize(("name", "step"), [("checkpoint-4", 4), ("training-state", 7)])
async def test_a_new_job_goes_on_where_a_failed_one_stood(house: House, name: str, step: int) -> None:
    job_id = await trained(house, FAILED)
    # What the registry says of a model changes; what the job was trained with does not.
    house.registry.base_models["model"].display_name = "renamed"
    new = await house.create(from_artifact_id=await file_of(house, job_id, name))
    assignment = await house.lease()
    assert (assignment.lease.job_id, assignment.training_state.step) == (new.id, step)
    assert assignment.base_model.display_name == "model"
    assert await state_files(house, assignment) == [b"weights"]
    assert (await house.get(job_id)).state == states.JOB_STATE_FAILED


async def test_a_new_job_with_another_configuration_is_refused(house: House) -> None:
    job_id = await trained(house, FAILED)
    file = await file_of(house, job_id, "checkpoint-4")
    other = CONFIGURATION | {"schedule": {"seed": 1}}
    await refused(house.create(configuration=other, from_artifact_id=file), "another configuration")
    listed = await house.jobs.ListJobs(job_service_pb2.ListJobsRequest())
    assert [job.id for job in listed.jobs] == [job_id]


async def test_a_state_that_still_changes_is_refused(house: House) -> None:
    job_id = await trained(house, door.Outcome(paused=door.Paused()))
    await refused(house.create(from_artifact_id=await file_of(house, job_id, "training-state")), "has not failed")
    # Its checkpoints don't change.
    assert (await house.create(from_artifact_id=await file_of(house, job_id, "checkpoint-4"))).state == states.JOB_STATE_QUEUED
