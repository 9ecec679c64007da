"""`tunesmith jobs watch`: every event once, whatever happens to the stream, and an exit code at the end."""

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc import code_pb2, status_pb2
from tunesmith.cli.errors import explain
from tunesmith.cli.job_watch import watch_job
from tunesmith.cli.output import Format, Output
from tunesmith.cli.session import Session
from tunesmith.client.errors import Unavailable
from tunesmith.job.v1 import job_event_pb2, job_pb2, job_state_pb2, metric_pb2
from tunesmith.job.v1.job_service_pb2 import WatchJobResponse

from tests.fakes.control_plane import FakeControlPlane, WatchStep
from tests.unit.cli.conftest import Run

ID = "j1"
RUNNING, SUCCEEDED, FAILED = (
    job_state_pb2.JOB_STATE_RUNNING,
    job_state_pb2.JOB_STATE_SUCCEEDED,
    job_state_pb2.JOB_STATE_FAILED,
)


def message(
    state: job_state_pb2.JobState, *sequences: int, step: int = 0, cursor: int = 0, loss: float | None = None
) -> WatchJobResponse:
    job = job_pb2.Job(id=ID, state=state, progress=step / 100, step=step, total_steps=100, epoch=step / 50)
    events = [
        job_event_pb2.JobEvent(sequence=sequence, type=job_event_pb2.JOB_EVENT_TYPE_STAGE, message=f"event {sequence}")
        for sequence in sequences
    ]
    response = WatchJobResponse(job=job, events=events, metric_cursor=cursor)
    if loss is not None:
        response.metrics.append(metric_pb2.MetricSeries(key="train_loss", points=[metric_pb2.MetricPoint(step=step, value=loss)]))
    return response


def events_in(text: str) -> list[str]:
    return [line.split("  ")[-1].strip() for line in text.splitlines() if "event " in line]


def test_a_job_that_succeeds(run: Run, plane: FakeControlPlane) -> None:
    last = message(SUCCEEDED, 3, step=100, loss=2.5)
    last.job.measured.duration_seconds = 42
    plane.watches = [[message(RUNNING, 1, step=1), message(RUNNING, 2, step=50, cursor=7, loss=3.25), last]]
    result = run("jobs", "watch", ID)
    assert result.exit_code == 0
    assert events_in(result.stdout) == ["event 1", "event 2", "event 3"]
    assert "measured 42 s" in result.stdout
    assert f"tunesmith jobs download {ID}" in result.stdout
    assert "50 %  step 50/100  epoch 1.00  loss 3.25" in result.stderr


def test_a_job_that_fails_says_why_and_exits_with_1(run: Run, plane: FakeControlPlane) -> None:
    last = message(FAILED, 1)
    last.job.error.CopyFrom(
        status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="out of memory; lower schedule.batch_size")
    )
    plane.watches = [[last]]
    result = run("jobs", "watch", ID)
    assert result.exit_code == 1
    assert "out of memory; lower schedule.batch_size" in result.stdout


def test_a_cancelled_job_exits_with_1(run: Run, plane: FakeControlPlane) -> None:
    plane.watches = [[message(job_state_pb2.JOB_STATE_CANCELLED, 1)]]
    assert run("jobs", "watch", ID).exit_code == 1


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED])
def test_a_broken_stream_is_taken_up_where_it_broke(run: Run, plane: FakeControlPlane, code: grpc.StatusCode) -> None:
    plane.watches = [
        [message(RUNNING, 1, 2, cursor=5), message(RUNNING, cursor=6), code],
        [message(RUNNING, 3, cursor=9), message(SUCCEEDED, 4)],
    ]
    result = run("jobs", "watch", ID)
    assert result.exit_code == 0
    assert events_in(result.stdout) == ["event 1", "event 2", "event 3", "event 4"]
    assert [(request.after_sequence, request.after_metric_cursor) for request in plane.requests] == [(0, 0), (2, 6)]
    assert result.stderr.count("taking it up again") == 1


def test_a_stream_that_ends_before_the_job_is_taken_up_too(run: Run, plane: FakeControlPlane) -> None:
    plane.watches = [[message(RUNNING, 1)], [], [message(SUCCEEDED, 2)]]
    result = run("jobs", "watch", ID)
    assert result.exit_code == 0
    assert events_in(result.stdout) == ["event 1", "event 2"]


def test_a_stream_that_breaks_after_the_job_ended_is_read_to_its_end(run: Run, plane: FakeControlPlane) -> None:
    plane.watches = [[message(SUCCEEDED, 1), grpc.StatusCode.UNAVAILABLE], [message(SUCCEEDED, 2)]]
    result = run("jobs", "watch", ID)
    assert result.exit_code == 0
    assert events_in(result.stdout) == ["event 1", "event 2"]


def test_a_job_that_does_not_exist_is_not_asked_for_again(run: Run, plane: FakeControlPlane) -> None:
    plane.refuse(code_pb2.NOT_FOUND, "job 'j1' does not exist")
    assert run("jobs", "watch", ID).exit_code == 3
    assert len(plane.requests) == 1


def test_it_gives_up_when_nothing_is_heard_for_long(plane: FakeControlPlane) -> None:
    plane.watches = [[message(RUNNING, 1)], []]
    session = Session(f"127.0.0.1:{plane.port}", Output(Format.TABLE))
    with pytest.raises(Unavailable, match="tunesmith jobs watch j1") as caught:
        list(watch_job(session, ID, give_up_s=0.05))
    assert explain(caught.value).exit_code == 4
    assert len(plane.requests) == 2
    session.client.close()


def test_json_is_one_object_a_line(run: Run, plane: FakeControlPlane) -> None:
    plane.watches = [[message(RUNNING, 1, loss=3.0), message(SUCCEEDED, 2)]]
    result = run("jobs", "watch", ID, "-o", "json")
    assert result.exit_code == 0
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first["events"][0]["sequence"] == "1"
    assert first["metrics"][0]["points"][0]["value"] == 3.0
    assert second["job"]["state"] == "JOB_STATE_SUCCEEDED"


@pytest.mark.parametrize(("options", "most"), [([], 1), (["-o", "json"], 0)])
def test_a_long_past_comes_whole_only_where_it_is_printed(
    run: Run, plane: FakeControlPlane, options: list[str], most: int
) -> None:
    plane.watches = [
        [message(RUNNING, 1), grpc.StatusCode.UNAVAILABLE],
        [message(RUNNING, cursor=6), grpc.StatusCode.UNAVAILABLE],
        [message(SUCCEEDED, 2)],
    ]
    assert run("jobs", "watch", ID, *options).exit_code == 0
    asked = [(request.after_metric_cursor, request.max_points_per_series) for request in plane.requests]
    assert asked == [(0, most), (0, most), (6, 0)]


def test_create_and_watch(run: Run, plane: FakeControlPlane, tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("model: {base_model: m}")
    plane.jobs.append(job_pb2.Job(id=ID))
    plane.watches = [[message(FAILED, 1)]]
    result = run("jobs", "create", "-f", str(file), "--watch")
    assert result.exit_code == 1
    assert f"created {ID}" in result.stderr
    assert [type(request).__name__ for request in plane.requests] == ["CreateJobRequest", "WatchJobRequest"]


def test_ctrl_c_leaves_the_job_running_and_says_so(run: Run, plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> Iterator[WatchStep]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("tunesmith.cli.jobs.watch_job", interrupted)
    result = run("jobs", "watch", ID)
    assert result.exit_code == 130
    assert f"tunesmith jobs cancel {ID}" in result.stderr
