"""Exports: what they are made from is checked, given to each attempt, and read by nobody else."""

import hashlib
import uuid

import grpc
import pytest
from google.protobuf import json_format
from tunesmith.config.v1 import export_configuration_pb2, method_pb2
from tunesmith.job.v1 import artifact_pb2, job_pb2, job_service_pb2
from tunesmith.job.v1 import job_state_pb2 as states
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.errors import InvalidArgument
from services.job.domain import MAX_LOST_ATTEMPTS
from services.job.usecases.export import SOFT_PROMPTS, refuse_impossible
from tests.unit.services.job.conftest import CONFIGURATION, House, reason_of

SUCCEEDED = door.Outcome(succeeded=door.Succeeded())
HUB = {"output_repo_name": "me/tuned"}


async def trained(
    house: House, kind: artifact_pb2.ArtifactKind = artifact_pb2.ARTIFACT_KIND_ADAPTER, *paths: str
) -> tuple[job_pb2.Job, str]:
    """A job that succeeded, and the id of the set that it stored."""
    job = await house.create(display_name="tuned")
    lease = (await house.lease()).lease
    set_id = await store(house, lease, kind, *(paths or ("adapter_config.json", "adapter_model.safetensors")))
    await house.report(lease, 1, outcome=SUCCEEDED)
    return await house.get(job.id), set_id


async def store(house: House, lease: door.LeaseToken, kind: artifact_pb2.ArtifactKind, *paths: str) -> str:
    header = door.ArtifactSetHeader(lease=lease, kind=kind, name="result", step=3, file_count=len(paths))
    parts = [door.WriteArtifactSetRequest(set=header)]
    for path in paths:
        body = f"bytes of {path} {lease.epoch}".encode()
        file = door.ArtifactFileHeader(path=path, size_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
        parts += [door.WriteArtifactSetRequest(file=file), door.WriteArtifactSetRequest(chunk=body)]
    return (await house.worker.WriteArtifactSet(iter(parts))).set_id


async def export(
    house: House, artifact_id: str, form: str = "GGUF", request: dict | None = None, **fields: object
) -> job_pb2.Job:
    spec = {"artifact_id": artifact_id, "format": f"EXPORT_FORMAT_{form}", **fields}
    body = {"provider": "local", "export": spec, **(request or {})}
    return (await house.jobs.CreateJob(json_format.ParseDict(body, job_service_pb2.CreateJobRequest()))).job


async def read(house: House, lease: door.LeaseToken, path: str) -> bytes:
    request = door.ReadExportSourceFileRequest(lease=lease, path=path)
    return b"".join([part.chunk async for part in house.worker.ReadExportSourceFile(request)])


async def job_count(house: House) -> int:
    return len((await house.jobs.ListJobs(job_service_pb2.ListJobsRequest())).jobs)


async def test_an_export_is_queued_and_an_attempt_gets_what_it_needs(house: House) -> None:
    source, set_id = await trained(house)
    job = await export(house, set_id)
    assert (job.state, job.display_name, job.provider) == (states.JOB_STATE_QUEUED, "tuned as GGUF", "local")
    assert (job.WhichOneof("spec"), job.WhichOneof("resolved_spec")) == ("export", "resolved_export")
    assert not job.export.HasField("gguf_type")
    assert job.resolved_export.gguf_type == export_configuration_pb2.GGUF_TYPE_F16
    assert not job.HasField("predicted") or job.predicted == job_pb2.JobFigures()
    assert await house.get(job.id) == job
    assert await house.events(job.id) == ["Queued for local."]

    assignment = await house.lease()
    assert assignment.lease.job_id == job.id
    assert assignment.WhichOneof("spec") == "export"
    assert assignment.export == job.resolved_export
    assert assignment.base_model.id == "model"
    assert not assignment.HasField("training_dataset") and not assignment.HasField("training_state")
    given = assignment.export_source
    assert (given.kind, given.name, given.step) == (artifact_pb2.ARTIFACT_KIND_ADAPTER, "result", 3)
    assert given.job == source
    assert [file.path for file in given.files] == ["adapter_config.json", "adapter_model.safetensors"]
    for file in given.files:
        content = await read(house, assignment.lease, file.path)
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size_bytes, file.sha256)


async def test_an_export_runs_to_its_end_like_any_job(house: House) -> None:
    _, set_id = await trained(house)
    job = await export(house, set_id, "MERGED", request={"display_name": "mine"})
    lease = (await house.lease()).lease
    await house.report(lease, 1, progress=door.Progress(step=3, total_steps=4))
    assert (await house.get(job.id)).progress == 0.75
    merged = await store(house, lease, artifact_pb2.ARTIFACT_KIND_MODEL, "config.json", "model.safetensors")
    await house.report(lease, 2, outcome=SUCCEEDED)
    done = await house.get(job.id)
    assert (done.state, done.display_name) == (states.JOB_STATE_SUCCEEDED, "mine")
    listed = (await house.jobs.ListJobs(job_service_pb2.ListJobsRequest())).jobs
    assert [one.id for one in listed if one.HasField("export")] == [job.id]
    assert not (await house.jobs.ListResiduals(job_service_pb2.ListResidualsRequest())).residuals
    # What was merged is a model like another.
    again = await export(house, merged, "GGUF")
    assert again.display_name == "mine as GGUF"


async def test_a_merged_model_is_tuned_on(house: House) -> None:
    _, set_id = await trained(house)
    await export(house, set_id, "MERGED")
    lease = (await house.lease()).lease
    merged = await store(house, lease, artifact_pb2.ARTIFACT_KIND_MODEL, "config.json", "model.safetensors")
    await house.report(lease, 1, outcome=SUCCEEDED)
    # Preflight follows it to the model that the exported adapter was trained on, and its modules.
    tuned_on = {**CONFIGURATION, "model": {"base_model": f"artifact:{merged}"}}
    assert (await house.create(configuration=tuned_on)).configuration.model.base_model == f"artifact:{merged}"
    targets = {"type": "TRAINING_METHOD_LORA", "lora_config": {"trainable_modules": "c_attn"}}
    with pytest.raises(grpc.aio.AioRpcError, match="it has q_proj, v_proj"):
        await house.create(configuration={**tuned_on, "method": targets})


async def test_a_file_s_id_names_its_set(house: House) -> None:
    source, set_id = await trained(house)
    files = (await house.jobs.ListArtifacts(job_service_pb2.ListArtifactsRequest(job_id=source.id))).artifacts
    assert (await export(house, files[1].id)).resolved_export.artifact_id == set_id


async def test_a_lost_export_is_run_again_three_times(house: House) -> None:
    _, set_id = await trained(house)
    job = await export(house, set_id)
    for attempt in range(1, MAX_LOST_ATTEMPTS + 1):
        assignment = await house.lease()
        assert assignment.attempt == attempt
        assert assignment.export_source.files
        await house.worker.ReleaseLease(door.ReleaseLeaseRequest(lease=assignment.lease, reason="it was killed"))
    failed = await house.get(job.id)
    assert failed.state == states.JOB_STATE_FAILED
    assert "lost their worker" in failed.error.message


@pytest.mark.parametrize("leased", [False, True])
async def test_an_export_is_cancelled(house: House, leased: bool) -> None:
    _, set_id = await trained(house)
    job = await export(house, set_id)
    lease = (await house.lease()).lease if leased else None
    await house.jobs.CancelJob(job_service_pb2.CancelJobRequest(id=job.id))
    if lease is not None:
        beat = await house.worker.Heartbeat(door.HeartbeatRequest(pool_id="pool", lease=lease))
        assert beat.directive == door.DIRECTIVE_CANCEL
        await house.report(lease, 1, outcome=door.Outcome(cancelled=door.Cancelled()))
    assert (await house.get(job.id)).state == states.JOB_STATE_CANCELLED


async def test_a_repeated_request_is_one_export(house: House) -> None:
    _, set_id = await trained(house)
    named = {"request_id": str(uuid.uuid4())}
    first, second = await export(house, set_id, request=named), await export(house, set_id, request=named)
    assert first == second
    assert await job_count(house) == 2
    with pytest.raises(grpc.aio.AioRpcError, match="different body"):
        await export(house, set_id, "MERGED", request=named)


async def test_only_the_lease_s_holder_reads_the_source(house: House) -> None:
    _, set_id = await trained(house)
    await export(house, set_id)
    stale = (await house.lease()).lease
    await house.worker.ReleaseLease(door.ReleaseLeaseRequest(lease=stale, reason="it was killed"))
    fresh = (await house.lease()).lease
    with pytest.raises(grpc.aio.AioRpcError, match="is over"):
        await read(house, stale, "adapter_config.json")
    with pytest.raises(grpc.aio.AioRpcError, match="the assignment lists"):
        await read(house, fresh, "../secret")


async def test_a_source_that_a_later_attempt_replaced_is_named(house: House) -> None:
    await house.create()
    first = (await house.lease()).lease
    set_id = await store(house, first, artifact_pb2.ARTIFACT_KIND_CHECKPOINT, "adapter_config.json")
    await house.worker.ReleaseLease(door.ReleaseLeaseRequest(lease=first, reason="it was killed"))
    again = (await house.lease()).lease
    job = await export(house, set_id)
    await store(house, again, artifact_pb2.ARTIFACT_KIND_CHECKPOINT, "adapter_config.json")
    await house.report(again, 1, outcome=SUCCEEDED)
    assignment = await house.lease()
    assert assignment.lease.job_id == job.id
    with pytest.raises(grpc.aio.AioRpcError, match="replaced by a later attempt's"):
        await read(house, assignment.lease, "adapter_config.json")


async def test_a_training_job_has_no_export_source(house: House) -> None:
    await house.create()
    with pytest.raises(grpc.aio.AioRpcError, match="the assignment lists"):
        await read(house, (await house.lease()).lease, "adapter_config.json")


@pytest.mark.parametrize(
    ("fields", "path", "text"),
    [
        ({"artifact_id": "nothing"}, "export.artifact_id", "nothing"),
        ({"format": "EXPORT_FORMAT_UNSPECIFIED"}, "export.format", ""),
        ({"format": "EXPORT_FORMAT_MERGED", "gguf_type": "GGUF_TYPE_Q8_0"}, "export", "only acts with format GGUF"),
        ({"format": "EXPORT_FORMAT_ADAPTER"}, "export.huggingface", "download the adapter as it is"),
        ({"huggingface": {"output_repo_name": "no slash"}}, "export.huggingface.output_repo_name", ""),
        ({"huggingface": {**HUB, "credential_id": "PATH"}}, "export.huggingface.credential_id", "ends in _TOKEN"),
    ],
)
async def test_what_is_wrong_is_named(house: House, fields: dict, path: str, text: str) -> None:
    _, set_id = await trained(house)
    spec = {"artifact_id": set_id, "format": "EXPORT_FORMAT_GGUF", **fields}
    request = json_format.ParseDict({"provider": "local", "export": spec}, job_service_pb2.CreateJobRequest())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await house.jobs.CreateJob(request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert path in reason_of(caught.value) and text in reason_of(caught.value)
    assert await job_count(house) == 1


async def test_only_local_exports(house: House) -> None:
    _, set_id = await trained(house)
    with pytest.raises(grpc.aio.AioRpcError, match="only local exports"):
        await export(house, set_id, request={"provider": "elsewhere"})


async def test_a_model_is_no_adapter_and_a_training_state_is_nothing_to_export(house: House) -> None:
    _, model = await trained(house, artifact_pb2.ARTIFACT_KIND_MODEL, "config.json", "model.safetensors")
    with pytest.raises(grpc.aio.AioRpcError, match=r"a whole model and no adapter; set format to MERGED"):
        await export(house, model, "ADAPTER", huggingface=HUB)
    await house.create()
    state = await store(house, (await house.lease()).lease, artifact_pb2.ARTIFACT_KIND_TRAINING_STATE, "state.json")
    with pytest.raises(grpc.aio.AioRpcError, match="is a training state, and only an adapter"):
        await export(house, state)


async def test_an_adapter_is_pushed_as_it_is(house: House) -> None:
    _, set_id = await trained(house)
    assert (await export(house, set_id, "ADAPTER", huggingface=HUB)).display_name == "tuned as adapter on a hub"


def test_a_soft_prompt_is_merged_into_nothing() -> None:
    names = {method_pb2.TrainingMethod.Name(method).removeprefix("TRAINING_METHOD_") for method in SOFT_PROMPTS}
    assert names == {"PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING"}
    source = door.ExportSource(kind=artifact_pb2.ARTIFACT_KIND_ADAPTER, name="adapter")
    source.files.add(path="adapter_config.json")
    asked = export_configuration_pb2.ExportConfiguration(format=export_configuration_pb2.EXPORT_FORMAT_MERGED)
    refuse_impossible(asked, source)
    for method in SOFT_PROMPTS:
        source.job.resolved_configuration.method.type = method
        with pytest.raises(InvalidArgument, match="a soft prompt can't be merged"):
            refuse_impossible(asked, source)
