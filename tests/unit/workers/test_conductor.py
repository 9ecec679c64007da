"""What leads several processes: one lease, one report, one outcome, whichever process ends first and however."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2, status_pb2
from tunesmith.job.v1 import artifact_pb2, histogram_pb2, job_event_pb2, job_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.errors import Unavailable
from tests.fakes.assignments import ROWS, lora_assignment
from tests.fakes.worker_door import FakeDoor, FakeJob
from workers.distributed import conductor as module
from workers.distributed.conductor import ABANDONED_EXIT_CODE, Conductor, ProcessesLost
from workers.distributed.voice import Voice
from workers.door import Door
from workers.training.sink import Stopped

SUCCEEDED = worker.Outcome(succeeded=worker.Succeeded())
CANCELLED = worker.Outcome(cancelled=worker.Cancelled())
STAGE, WARNING = job_event_pb2.JOB_EVENT_TYPE_STAGE, job_event_pb2.JOB_EVENT_TYPE_WARNING


def failed(message: str) -> worker.Outcome:
    return worker.Outcome(failed=status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message=message))


class Here:
    """A line without processes between."""

    def __init__(self, led: Conductor) -> None:
        self._led = led

    def tell(self, what: str, *arguments: Any) -> None:
        self._led.hear(what, *arguments)

    def flush(self) -> None:
        self._led.flush()

    def directive(self) -> int:
        return self._led.directive()

    def ended(self, rank: int, outcome: bytes) -> None:
        self._led.ended(rank, outcome)


class Stage:
    """A conductor before a fake door; `train` plays the processes."""

    def __init__(self, server: FakeDoor, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.exits: list[int] = []
        self.job: FakeJob = server.add_job(lora_assignment(lease_seconds=0.6), ROWS)
        self.assignment = server.take(self.job)

    def run(self, train: Callable[[Here], None]) -> worker.Outcome:
        self.folder.mkdir()
        led = Conductor(self.server.address, "pool", "INFO", lambda: train(Here(led)), self.folder, self.exits.append)
        try:
            return worker.Outcome.FromString(led.run(self.assignment.SerializeToString()))
        finally:
            assert not self.folder.exists()

    def voice(self, line: Here, rank: int) -> Voice:
        return Voice(line, rank, Door(self.server.address, clock=time.monotonic), self.assignment.lease)


@pytest.fixture
def stage(server: FakeDoor, tmp_path: Path) -> Stage:
    return Stage(server, tmp_path / "work")


def test_what_the_first_process_tells_reaches_the_service_in_order(stage: Stage, tmp_path: Path) -> None:
    def train(line: Here) -> None:
        voice = stage.voice(line, 0)
        voice.stage("Training")
        voice.warning("Careful")
        voice.progress(1, 2, 0.5, None)
        voice.metrics(1, {"train_loss": 2.0})
        voice.histograms([histogram_pb2.WeightHistogram(step=1, layer="a", counts=[3])])
        voice.evaluated(1, 2.5)
        voice.measured(job_pb2.JobFigures(step_seconds=0.25))
        folder = tmp_path / "adapter"
        folder.mkdir()
        (folder / "weights.json").write_text("{}")
        voice.add_artifacts(artifact_pb2.ARTIFACT_KIND_ADAPTER, "adapter", 2, folder)
        voice.close(SUCCEEDED)
        stage.voice(line, 1).close(SUCCEEDED)

    outcome = stage.run(train)
    job = stage.job
    assert outcome == job.outcome == SUCCEEDED
    assert (job.events(STAGE), job.events(WARNING)) == (["Training"], ["Careful"])
    assert job.points("train_loss") == [(1, 2.0)]
    assert [one.layer for report in job.reports for one in report.histograms] == ["a"]
    assert max(report.measured.step_seconds for report in job.reports) == 0.25
    assert job.artifacts == {"adapter": {"weights.json": b"{}"}}
    # All that was said before a set is there before it.
    assert job.history.index("set adapter") > 0
    assert job.history[-1] == "report"


def test_a_process_that_could_not_go_on_says_why_and_the_others_need_not(stage: Stage) -> None:
    def train(line: Here) -> None:
        line.ended(1, failed("row 3 has no text; add one").SerializeToString())
        raise ProcessesLost("process 1 of the 2 was ended")

    assert stage.run(train).failed.message == "row 3 has no text; add one"
    assert stage.job.outcome is not None


def test_processes_that_say_nothing_are_lost(stage: Stage) -> None:
    def train(line: Here) -> None:
        raise ProcessesLost("process 2 of the 2 died")

    with pytest.raises(ProcessesLost, match="process 2 of the 2 died"):
        stage.run(train)
    assert stage.job.outcome is None


def test_processes_that_can_not_be_started_are_lost(stage: Stage) -> None:
    def train(line: Here) -> None:
        raise KeyError("no room")

    with pytest.raises(ProcessesLost, match="could not be started: KeyError"):
        stage.run(train)


def test_processes_that_end_without_a_word_are_lost(stage: Stage) -> None:
    with pytest.raises(ProcessesLost, match="said nothing"):
        stage.run(lambda line: None)


def test_a_cancelled_job_does_not_wait_for_processes_that_wait_for_the_first(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINGER_S", 0.2)
    left = threading.Event()

    def train(line: Here) -> None:
        voice = stage.voice(line, 0)
        stage.job.directive = worker.DIRECTIVE_CANCEL
        with pytest.raises(Stopped):
            while True:
                voice.pause(0.05)
        voice.close(CANCELLED)
        left.wait(10)

    try:
        assert stage.run(train) == CANCELLED
    finally:
        left.set()


def test_what_the_first_process_stored_counts_whatever_the_others_say(stage: Stage) -> None:
    def train(line: Here) -> None:
        line.ended(0, SUCCEEDED.SerializeToString())
        line.ended(1, failed("it was late").SerializeToString())
        raise ProcessesLost("process 2 of the 2 died")

    assert stage.run(train) == SUCCEEDED


def test_a_job_that_another_worker_took_ends_the_conductor(stage: Stage) -> None:
    def train(line: Here) -> None:
        stage.server.fence(stage.job)
        end = time.monotonic() + 10
        while not stage.exits and time.monotonic() < end:
            time.sleep(0.02)
        raise ProcessesLost("the test goes on where a process would have ended")

    with pytest.raises(ProcessesLost):
        stage.run(train)
    assert stage.exits == [ABANDONED_EXIT_CODE]


def test_a_process_that_hangs_ends_the_attempt_with_its_reason(stage: Stage) -> None:
    def train(line: Here) -> None:
        stage.voice(line, 1).hung(Unavailable("STEP_TIMEOUT", "step 3 took too long; look at the pool"))
        raise ProcessesLost("the test goes on where a process would have ended")

    with pytest.raises(ProcessesLost):
        stage.run(train)
    assert stage.job.released == ["step 3 took too long; look at the pool"]
    assert stage.exits == [ABANDONED_EXIT_CODE]
