"""What a job says arrives once and in order, whatever the door does, and never disturbs the training."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc import code_pb2, status_pb2
from tunesmith.job.v1 import artifact_pb2, histogram_pb2, job_event_pb2, job_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.errors import DeadlineExceeded
from tests.fakes.assignments import ROWS, lora_assignment
from tests.fakes.worker_door import FakeDoor, FakeJob
from workers import report
from workers.door import Door, LeaseLost, Refused
from workers.report import Reporter
from workers.training.sink import Stopped

SUCCEEDED = worker.Outcome(succeeded=worker.Succeeded())
ADAPTER = artifact_pb2.ARTIFACT_KIND_ADAPTER
STAGE, WARNING = job_event_pb2.JOB_EVENT_TYPE_STAGE, job_event_pb2.JOB_EVENT_TYPE_WARNING
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


class Attempt:
    """A job that is leased, and the reporter of its attempt."""

    def __init__(self, server: FakeDoor, door: Door, lease_seconds: float = 0.6) -> None:
        self.job: FakeJob = server.add_job(lora_assignment(lease_seconds), ROWS)
        self.abandoned: list[str] = []
        self.abandoned_on: list[str] = []
        self.reporter = Reporter(door, "pool", server.take(self.job), self._abandon)
        self.reporter.start()

    def _abandon(self, reason: str) -> None:
        self.abandoned_on.append(threading.current_thread().name)
        self.abandoned.append(reason)


@pytest.fixture
def attempt(server: FakeDoor, door: Door) -> Iterator[Attempt]:
    made = Attempt(server, door)
    yield made
    made.reporter.lease.give_up()


def wait_until_abandoned(attempt: Attempt) -> None:
    end = time.monotonic() + 10
    while not attempt.abandoned and time.monotonic() < end:
        time.sleep(0.01)
    assert len(attempt.abandoned) == 1


def test_everything_arrives_before_the_outcome_and_in_order(attempt: Attempt) -> None:
    reporter, job = attempt.reporter, attempt.job
    reporter.stage("Loading")
    for step in range(1, 51):
        reporter.metrics(step, {"train_loss": 1 / step})
        reporter.progress(step, 50, step / 50, 50.0 - step)
    reporter.warning("slow")
    reporter.evaluated(50, 0.5)
    reporter.measured(job_pb2.JobFigures(step_seconds=0.1))
    assert reporter.close(SUCCEEDED) == SUCCEEDED

    assert [report.sequence for report in job.reports] == list(range(1, len(job.reports) + 1))
    assert job.points("train_loss") == [(step, 1 / step) for step in range(1, 51)]
    assert [report.HasField("outcome") for report in job.reports] == [False] * (len(job.reports) - 1) + [True]
    events = [(event.type, event.message) for report in job.reports for event in report.events]
    assert events == [
        (STAGE, "Loading"),
        (WARNING, "slow"),
        (job_event_pb2.JOB_EVENT_TYPE_EVALUATED, "Evaluated at step 50: loss 0.5."),
    ]
    last = next(report.progress for report in reversed(job.reports) if report.HasField("progress"))
    assert (last.step, last.total_steps, last.epoch, last.estimated_remaining_seconds) == (50, 50, 1.0, 0.0)
    assert job.outcome == SUCCEEDED
    assert attempt.abandoned == []


def test_steps_are_batched_but_the_first_is_told_at_once(server: FakeDoor, attempt: Attempt) -> None:
    reporter, job = attempt.reporter, attempt.job
    reporter.metrics(0, {"eval_loss": 9.0})
    began = time.monotonic()
    reporter.metrics(1, {"train_loss": 2.0})
    server.wait_for(lambda: job.points("train_loss") == [(1, 2.0)])
    assert time.monotonic() - began < 0.2
    for step in range(2, 102):
        reporter.metrics(step, {"train_loss": 1.0})
        time.sleep(0.005)
    reporter.close(SUCCEEDED)
    # A hundred steps in half a second or more, four reports a second, one for the first step and one for the outcome.
    assert len(job.reports) <= 4 * (time.monotonic() - began) + 4
    assert len(job.points("train_loss")) == 101


def test_a_report_that_failed_is_repeated_under_its_sequence(server: FakeDoor, attempt: Attempt) -> None:
    server.failures["Report"] = [UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, UNAVAILABLE]
    attempt.reporter.stage("one")
    attempt.reporter.stage("two")
    attempt.reporter.close(SUCCEEDED)
    assert attempt.job.events(STAGE) == ["one", "two"]
    assert server.calls.count("Report") == len(attempt.job.reports) + 3
    assert [report.sequence for report in attempt.job.reports] == list(range(1, len(attempt.job.reports) + 1))


def test_a_report_whose_answer_was_lost_counts_once(server: FakeDoor, attempt: Attempt) -> None:
    server.lost_answers["Report"] = 2
    attempt.reporter.metrics(1, {"train_loss": 1.0})
    server.wait_for(lambda: attempt.job.sequence == 1)
    attempt.reporter.metrics(2, {"train_loss": 2.0})
    attempt.reporter.close(SUCCEEDED)
    assert attempt.job.points("train_loss") == [(1, 1.0), (2, 2.0)]
    assert attempt.job.outcome == SUCCEEDED
    assert server.calls.count("Report") == len(attempt.job.reports) + 2


def test_a_restart_of_the_service_loses_nothing_and_never_blocks_the_training(server: FakeDoor, door: Door) -> None:
    attempt = Attempt(server, door, lease_seconds=30)
    attempt.reporter.metrics(1, {"train_loss": 1.0})
    server.wait_for(lambda: attempt.job.sequence == 1)
    server.stop()
    began = time.monotonic()
    for step in range(2, 1002):
        attempt.reporter.metrics(step, {"train_loss": 1.0})
    assert time.monotonic() - began < 1
    ended = threading.Thread(target=attempt.reporter.close, args=(SUCCEEDED,))
    ended.start()
    time.sleep(1)
    assert ended.is_alive()
    server.start()
    ended.join(15)
    assert not ended.is_alive()
    assert [step for step, _ in attempt.job.points("train_loss")] == list(range(1, 1002))
    assert attempt.job.outcome == SUCCEEDED


def test_a_refused_report_is_told_and_holds_up_nothing(server: FakeDoor, attempt: Attempt) -> None:
    server.failures["Report"] = [grpc.StatusCode.INVALID_ARGUMENT]
    attempt.reporter.stage("lost")
    attempt.reporter.close(SUCCEEDED)
    assert attempt.job.events(STAGE) == []
    (warning,) = attempt.job.events(WARNING)
    assert "The service refused a report of this job" in warning
    assert attempt.job.outcome == SUCCEEDED
    assert [report.sequence for report in attempt.job.reports] == [1, 2]


def test_an_outcome_that_is_refused_becomes_a_failure_with_the_reason(server: FakeDoor, attempt: Attempt) -> None:
    server.failures["Report"] = [grpc.StatusCode.FAILED_PRECONDITION]
    outcome = attempt.reporter.close(SUCCEEDED)
    assert outcome.failed.code == code_pb2.FAILED_PRECONDITION
    assert attempt.job.outcome == outcome


def test_a_service_that_takes_no_outcome_is_an_error(server: FakeDoor, attempt: Attempt) -> None:
    server.failures["Report"] = [grpc.StatusCode.FAILED_PRECONDITION] * 2
    with pytest.raises(Refused):
        attempt.reporter.close(SUCCEEDED)
    assert attempt.job.outcome is None


def test_heartbeats_keep_the_lease_and_bring_the_directive(server: FakeDoor, attempt: Attempt) -> None:
    assert attempt.reporter.directive() == worker.DIRECTIVE_CONTINUE
    server.failures["Heartbeat"] = [UNAVAILABLE]
    attempt.job.directive = worker.DIRECTIVE_PAUSE
    server.wait_for(lambda: attempt.job.heartbeats >= 3)
    assert attempt.reporter.directive() == worker.DIRECTIVE_PAUSE


def test_a_cancellation_stays_heard_and_the_job_still_reports(server: FakeDoor, attempt: Attempt) -> None:
    attempt.job.directive = worker.DIRECTIVE_CANCEL
    attempt.reporter.stage("one")
    server.wait_for(lambda: attempt.job.heartbeats >= 2)
    attempt.job.directive = worker.DIRECTIVE_CONTINUE
    seen = attempt.job.heartbeats
    server.wait_for(lambda: attempt.job.heartbeats >= seen + 2)
    assert attempt.reporter.directive() == worker.DIRECTIVE_CANCEL
    cancelled = worker.Outcome(cancelled=worker.Cancelled())
    attempt.reporter.close(cancelled)
    assert attempt.job.outcome == cancelled
    assert attempt.abandoned == []


def test_a_lease_that_a_heartbeat_finds_lost_ends_the_attempt(server: FakeDoor, attempt: Attempt) -> None:
    server.fence(attempt.job)
    wait_until_abandoned(attempt)
    assert attempt.abandoned_on == ["heartbeat"]
    assert attempt.reporter.directive() == worker.DIRECTIVE_CANCEL


def test_a_lease_that_a_report_finds_lost_ends_the_attempt_and_raises_nothing(server: FakeDoor, door: Door) -> None:
    attempt = Attempt(server, door, lease_seconds=3000)
    server.wait_for(lambda: attempt.job.heartbeats == 1)
    server.fence(attempt.job)
    attempt.reporter.metrics(1, {"train_loss": 1.0})
    wait_until_abandoned(attempt)
    assert attempt.abandoned_on == ["report"]
    attempt.reporter.stage("said to nobody")
    with pytest.raises(LeaseLost):
        attempt.reporter.close(SUCCEEDED)
    assert attempt.job.reports == []


def test_artifacts_come_after_what_was_said_before(server: FakeDoor, attempt: Attempt, tmp_path: Path) -> None:
    attempt.reporter.metrics(1, {"train_loss": 1.0})
    (tmp_path / "weights.bin").write_bytes(b"w")
    attempt.reporter.add_artifacts(ADAPTER, "adapter", 1, tmp_path)
    attempt.reporter.close(SUCCEEDED)
    assert attempt.job.history == ["report", "set adapter", "report"]


def test_artifacts_of_a_lost_lease_are_not_stored(server: FakeDoor, door: Door, tmp_path: Path) -> None:
    attempt = Attempt(server, door, lease_seconds=3000)
    server.wait_for(lambda: attempt.job.heartbeats == 1)
    server.fence(attempt.job)
    (tmp_path / "weights.bin").write_bytes(b"w")
    with pytest.raises(Stopped):
        attempt.reporter.add_artifacts(ADAPTER, "adapter", 1, tmp_path)
    assert len(attempt.abandoned) == 1
    assert attempt.job.artifacts == {}


def test_a_cancelled_job_stores_no_more(server: FakeDoor, attempt: Attempt, tmp_path: Path) -> None:
    attempt.job.directive = worker.DIRECTIVE_CANCEL
    attempt.reporter.stage("one")
    server.wait_for(lambda: attempt.job.heartbeats >= 2)
    with pytest.raises(Stopped):
        attempt.reporter.add_artifacts(ADAPTER, "adapter", 1, tmp_path)
    assert attempt.job.artifacts == {}


def test_a_failure_keeps_its_status(attempt: Attempt) -> None:
    failed = worker.Outcome(failed=status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="buy memory"))
    attempt.reporter.close(failed)
    assert attempt.job.outcome == failed


def test_histograms_arrive_before_the_outcome(attempt: Attempt) -> None:
    taken = [histogram_pb2.WeightHistogram(layer=f"layers.{n}", step=5, counts=[1]) for n in range(2500)]
    attempt.reporter.histograms(taken)
    attempt.reporter.close(SUCCEEDED)
    assert [one.layer for report in attempt.job.reports for one in report.histograms] == [one.layer for one in taken]
    assert max(len(report.histograms) for report in attempt.job.reports) == 1000


HANGS = DeadlineExceeded("STEP_TIMEOUT", "step 3 hangs")


def test_an_attempt_that_hangs_gives_its_job_back_with_the_reason(attempt: Attempt) -> None:
    attempt.reporter.metrics(2, {"train_loss": 0.5})
    attempt.reporter.hung(HANGS)
    job = attempt.job
    assert attempt.abandoned == ["step 3 hangs"]
    assert (job.released, job.outcome, job.leased) == (["step 3 hangs"], None, False)
    assert job.release_errors == [HANGS.status()]
    # What was said before is not lost.
    assert job.points("train_loss") == [(2, 0.5)]
    assert job.events(WARNING) == ["The attempt is given up: step 3 hangs."]


def test_an_attempt_that_hangs_ends_though_the_door_is_away(
    attempt: Attempt, server: FakeDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "LAST_WORDS_S", 0.2)
    server.stop()
    attempt.reporter.hung(HANGS)
    assert attempt.abandoned == ["step 3 hangs"]
