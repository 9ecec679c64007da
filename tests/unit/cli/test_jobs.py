"""`tunesmith jobs create | list | get | cancel | pause | resume | events | metrics | artifacts`."""

import json
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import code_pb2, error_details_pb2, status_pb2
from tunesmith.job.v1 import artifact_pb2, job_event_pb2, job_pb2, job_state_pb2, metric_pb2
from tunesmith.job.v1 import job_service_pb2 as messages
from tunesmith.provider.v1 import lowering_pb2

from tests.fakes.control_plane import FakeControlPlane
from tests.unit.cli.conftest import Run

ID = "0192f0c1-7d3a-7a4b-8c7d-2f1e0a9b8c7d"
CONFIGURATION = "model: {base_model: tunesmith/pico}\ndatasets: {training_file_id: rows}\nmethod: {type: TRAINING_METHOD_FULL}\n"


@pytest.fixture
def job(plane: FakeControlPlane) -> job_pb2.Job:
    job = job_pb2.Job(id=ID, display_name="pico on rows", provider="local", state=job_state_pb2.JOB_STATE_RUNNING, progress=0.25)
    plane.jobs.append(job)
    return job


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "job.yaml"
    file.write_text(CONFIGURATION)
    return file


def test_a_job_is_created_from_a_file(run: Run, plane: FakeControlPlane, job: object, file: Path) -> None:
    result = run("jobs", "create", "-f", str(file), "--name", "first", "--accept-warnings", "--strict")
    assert result.exit_code == 0
    assert ID in result.stdout
    [request] = plane.requests
    assert request.provider == "local"
    assert request.display_name == "first"
    assert request.accept_warnings
    assert request.strict
    assert request.configuration.model.base_model == "tunesmith/pico"


def test_every_creation_has_a_request_id_of_its_own(run: Run, plane: FakeControlPlane, job: object, file: Path) -> None:
    run("jobs", "create", "-f", str(file))
    run("jobs", "create", "-f", str(file))
    run("jobs", "create", "-f", str(file), "--request-id", "mine")
    first, second, third = (request.request_id for request in plane.requests)
    assert first
    assert second
    assert first != second
    assert third == "mine"


def test_standard_input_and_flags_over_a_whole_request(run: Run, plane: FakeControlPlane, job: object) -> None:
    indented = "".join(f"  {line}\n" for line in CONFIGURATION.splitlines())
    whole = f"provider: local\nrequest_id: r1\ndisplay_name: of the file\nconfiguration:\n{indented}"
    assert run("jobs", "create", "-f", "-", "--provider", "other", input=whole).exit_code == 0
    [request] = plane.requests
    assert (request.provider, request.request_id, request.display_name) == ("other", "r1", "of the file")


def test_a_typing_mistake_reaches_no_server(run: Run, plane: FakeControlPlane) -> None:
    result = run("jobs", "create", "-f", "-", input="schedule: {epoch: 3}")
    assert result.exit_code == 2
    assert result.stderr == "error: standard input:1: schedule.epoch: no such field; did you mean epochs?\n"
    assert plane.requests == []


def test_the_server_s_violations_come_with_their_lines(run: Run, plane: FakeControlPlane, file: Path) -> None:
    file.write_text(CONFIGURATION + "schedule: {epochs: 30}\n")
    plane.refuse_fields(
        ("configuration.schedule.epochs", "must be at most 20"), ("configuration.method", "method.lora_config is required")
    )
    result = run("jobs", "create", "-f", str(file))
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"error: {file}:4: schedule.epochs: must be at most 20",
        f"error: {file}:3: method.lora_config is required",
    ]


def test_a_warning_that_was_not_accepted(run: Run, plane: FakeControlPlane, file: Path) -> None:
    text = "the training dataset has 3 rows; add rows, or send accept_warnings: true"
    plane.refuse(code_pb2.FAILED_PRECONDITION, text, error_details_pb2.ErrorInfo(reason="WARNINGS_NOT_ACCEPTED"))
    result = run("jobs", "create", "-f", str(file))
    assert result.exit_code == 1
    assert "--accept-warnings" in result.stderr


def test_a_lost_answer_tells_the_request_id(run: Run, plane: FakeControlPlane, file: Path) -> None:
    plane.refuse(code_pb2.UNAVAILABLE, "Socket closed")
    result = run("jobs", "create", "-f", str(file))
    assert result.exit_code == 4
    assert f"--request-id {plane.requests[0].request_id}" in result.stderr


def test_lists_by_state_and_provider(run: Run, plane: FakeControlPlane, job: object) -> None:
    result = run("jobs", "list", "--state", "running", "--state", "JOB_STATE_QUEUED", "--provider", "local")
    assert result.stdout.splitlines()[1].startswith(f"{ID}  pico on rows  running  25 %  local")
    assert list(plane.requests[0].states) == [job_state_pb2.JOB_STATE_RUNNING, job_state_pb2.JOB_STATE_QUEUED]
    assert plane.requests[0].provider == "local"


def test_a_table_asks_for_what_it_shows_and_a_document_for_everything(run: Run, plane: FakeControlPlane, job: object) -> None:
    assert run("jobs", "list", "--search", "Pico").exit_code == 0
    assert run("jobs", "list", "-o", "json").exit_code == 0
    assert [(request.search, request.view) for request in plane.requests] == [
        ("Pico", messages.JOB_VIEW_BASIC),
        ("", messages.JOB_VIEW_FULL),
    ]


def test_a_state_nobody_knows(run: Run, plane: FakeControlPlane) -> None:
    result = run("jobs", "list", "--state", "runing")
    assert result.exit_code == 2
    assert "did you mean running?" in result.stderr
    assert plane.requests == []


def test_a_job_with_everything(run: Run, job: job_pb2.Job) -> None:
    job.state = job_state_pb2.JOB_STATE_FAILED
    job.error.CopyFrom(status_pb2.Status(code=8, message="out of memory; lower schedule.batch_size"))
    job.step, job.total_steps, job.attempt = 40, 160, 2
    job.predicted.peak_memory_bytes, job.measured.peak_memory_bytes = 1_000_000_000, 1_100_000_000
    job.measured.first_evaluation_loss, job.measured.last_evaluation_loss = 8.38, 5.87
    dropped = lowering_pb2.LOWERING_ACTION_DROPPED
    job.lowering.add(field_path="hardware.gpu_type", action=dropped, detail="local takes the pool's devices")
    shown = run("jobs", "get", ID).stdout
    for expected in (
        *("failed", "out of memory; lower schedule.batch_size", "25 % (step 40/160)", "measured 1.1 GB, predicted 1 GB"),
        *("8.38 before, 5.87 after", "hardware.gpu_type: local takes the pool's devices"),
    ):
        assert expected in shown


def test_cancelling_asks_and_shows_what_became_of_it(run: Run, plane: FakeControlPlane, job: object) -> None:
    assert "cancelling" in run("jobs", "cancel", ID).stdout
    assert plane.requests[0].id == ID
    assert plane.requests[0].request_id


def test_pausing_asks_and_says_that_it_is_about_to(run: Run, plane: FakeControlPlane, job: object) -> None:
    assert "running, about to pause" in run("jobs", "pause", ID).stdout
    assert plane.requests[0].id == ID
    assert plane.requests[0].request_id


def test_a_paused_job_says_how_it_goes_on_and_does(run: Run, plane: FakeControlPlane, job: job_pb2.Job) -> None:
    job.state = job_state_pb2.JOB_STATE_PAUSED
    assert f"tunesmith jobs resume {ID}" in run("jobs", "get", ID).stdout
    assert "paused" in run("jobs", "resume", ID).stdout
    assert plane.requests[1].id == ID
    assert plane.requests[1].request_id
    assert "paused" in run("jobs", "resume", ID, "--from", "artifact-1").stdout
    assert [request.from_artifact_id for request in plane.requests[1:]] == ["", "artifact-1"]


def test_events_of_all_pages(run: Run, plane: FakeControlPlane) -> None:
    plane.events += [
        job_event_pb2.JobEvent(sequence=n, type=job_event_pb2.JOB_EVENT_TYPE_WARNING, message=f"warning {n}")
        for n in range(1, 1201)
    ]
    lines = run("jobs", "events", ID).stdout.splitlines()
    assert len(lines) == 1 + 1200
    assert lines[-1].split() == ["1200", "warning", "warning", "1200"]


def test_metrics_in_short_and_point_by_point(run: Run, plane: FakeControlPlane) -> None:
    points = [metric_pb2.MetricPoint(step=step, value=8.0 / (step + 1), time=Timestamp(seconds=1)) for step in range(4)]
    plane.series.append(metric_pb2.MetricSeries(key="train_loss", points=points))
    assert run("jobs", "metrics", ID).stdout.splitlines()[1].split() == ["train_loss", "4", "3", "8", "2", "2", "8"]
    assert [line.split()[:2] for line in run("jobs", "metrics", ID, "--key", "train_loss").stdout.splitlines()[1:]] == [
        *(["0", "8"], ["1", "4"], ["2", "2.667"], ["3", "2"])
    ]


def test_a_series_that_is_not_there(run: Run) -> None:
    assert run("jobs", "metrics", ID, "--key", "los").exit_code == 3


def test_artifacts(run: Run, plane: FakeControlPlane) -> None:
    kind = artifact_pb2.ARTIFACT_KIND_ADAPTER
    plane.artifacts.append(
        artifact_pb2.Artifact(id="a1", kind=kind, path="adapter/adapter_config.json", size_bytes=700, sha256="ab" * 32)
    )
    assert "adapter/adapter_config.json" in run("jobs", "artifacts", ID).stdout
    [shown] = json.loads(run("jobs", "artifacts", ID, "-o", "json").stdout)["artifacts"]
    assert shown["sha256"] == "ab" * 32
