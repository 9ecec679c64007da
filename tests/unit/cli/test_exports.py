"""`tunesmith export`, and how exports are shown."""

from typing import Any

import pytest
from google.rpc import code_pb2
from tunesmith.client.asynchronous import AsyncTunesmith
from tunesmith.client.errors import InvalidArgument
from tunesmith.client.exporting import export_configuration
from tunesmith.config.v1 import export_configuration_pb2
from tunesmith.job.v1 import artifact_pb2, job_pb2, job_service_pb2, job_state_pb2

from tests.fakes.control_plane import FakeControlPlane
from tests.unit.cli.conftest import Run

ID = "0192f0c1-7d3a-7a4b-8c7d-2f1e0a9b8c7d"
GGUF, Q8_0 = export_configuration_pb2.EXPORT_FORMAT_GGUF, export_configuration_pb2.GGUF_TYPE_Q8_0


@pytest.fixture
def job(plane: FakeControlPlane) -> job_pb2.Job:
    job = job_pb2.Job(id=ID, display_name="pico on rows as GGUF", provider="local", state=job_state_pb2.JOB_STATE_RUNNING)
    job.progress, job.step, job.total_steps, job.epoch = 0.4, 40, 100, 0
    job.export.artifact_id, job.export.format = "set-1", GGUF
    job.resolved_export.CopyFrom(job.export)
    job.resolved_export.gguf_type = Q8_0
    job.resolved_export.huggingface.output_repo_name = "me/tuned"
    plane.jobs.append(job)
    return job


def trained(plane: FakeControlPlane) -> None:
    for kind, name in ((artifact_pb2.ARTIFACT_KIND_CHECKPOINT, "checkpoint-4"), (artifact_pb2.ARTIFACT_KIND_ADAPTER, "adapter")):
        plane.artifacts.append(artifact_pb2.Artifact(id=f"{name}-file", set_id=f"{name}-set", kind=kind, path=f"{name}/a"))


def created(plane: FakeControlPlane) -> Any:
    [request] = [one for one in plane.requests if isinstance(one, job_service_pb2.CreateJobRequest)]
    return request


def test_a_job_s_result_is_exported(run: Run, plane: FakeControlPlane, job: job_pb2.Job) -> None:
    trained(plane)
    result = run("export", "a-job", "--format", "gguf", "--type", "q8_0", "--push", "me/tuned", "--credential", "TEAM_TOKEN")
    assert result.exit_code == 0, result.stderr
    request = created(plane)
    assert request.WhichOneof("spec") == "export"
    assert (request.provider, bool(request.request_id)) == ("local", True)
    assert (request.export.artifact_id, request.export.format, request.export.gguf_type) == ("adapter-set", GGUF, Q8_0)
    hub = request.export.huggingface
    assert (hub.output_repo_name, hub.credential_id) == ("me/tuned", "TEAM_TOKEN")
    for shown in ("set-1", "gguf, Q8_0", "me/tuned", "40 %"):
        assert shown in result.stdout
    assert "step" not in result.stdout


def test_a_set_of_artifacts_is_exported_by_its_id(run: Run, plane: FakeControlPlane, job: job_pb2.Job) -> None:
    plane.no_such_job = True
    assert run("export", "checkpoint-4-set", "-f", "merged", "--name", "mine", "--request-id", "r").exit_code == 0
    request = created(plane)
    assert (request.export.artifact_id, request.display_name, request.request_id) == ("checkpoint-4-set", "mine", "r")
    assert not request.export.HasField("gguf_type") and not request.export.HasField("huggingface")


def test_a_job_without_a_result_is_told(run: Run, plane: FakeControlPlane, job: job_pb2.Job) -> None:
    result = run("export", "a-job", "--format", "gguf")
    assert result.exit_code == 3
    assert "has no adapter and no model to export" in result.stderr


def test_a_typing_mistake_reaches_no_server(run: Run, plane: FakeControlPlane) -> None:
    result = run("export", "a-job", "--format", "ggfu")
    assert result.exit_code == 2
    assert "did you mean gguf?" in result.stderr
    result = run("export", "a-job", "--format", "gguf", "--type", "q4_0")
    assert "did you mean q8_0?" in result.stderr
    assert plane.requests == []


def test_the_server_s_refusal_is_shown(run: Run, plane: FakeControlPlane) -> None:
    plane.no_such_job = True
    plane.refuse_creation = (code_pb2.INVALID_ARGUMENT, "export.artifact_id: artifact x: no such thing")
    result = run("export", "x", "--format", "gguf")
    assert result.exit_code != 0
    assert "no such thing" in result.stderr


def test_exports_are_listed_like_any_job(run: Run, job: job_pb2.Job) -> None:
    assert run("jobs", "list").stdout.splitlines()[1].startswith(f"{ID}  pico on rows as GGUF  running  40 %  local")


def test_an_export_of_nothing_new_has_nothing_to_download(run: Run, job: job_pb2.Job) -> None:
    job.state = job_state_pb2.JOB_STATE_SUCCEEDED
    assert "next" not in run("jobs", "get", ID).stdout


def test_names_in_short_and_in_full_mean_the_same() -> None:
    short, full = export_configuration("s", "gguf", "q8_0", None, None), export_configuration("s", GGUF, Q8_0, None, None)
    assert short == full == export_configuration("s", "EXPORT_FORMAT_GGUF", "GGUF_TYPE_Q8_0", None, None)
    with pytest.raises(InvalidArgument, match="name one as push_to"):
        export_configuration("s", "gguf", None, None, "HF_TOKEN")
    with pytest.raises(InvalidArgument, match="format"):
        export_configuration("s", "zip", None, None, None)


async def test_the_other_client_does_the_same(plane: FakeControlPlane, job: job_pb2.Job) -> None:
    trained(plane)
    async with AsyncTunesmith(f"127.0.0.1:{plane.port}") as client:
        made = await client.export("a-job", "merged", display_name="mine")
    assert made.id == ID
    assert (created(plane).export.artifact_id, created(plane).display_name) == ("adapter-set", "mine")
