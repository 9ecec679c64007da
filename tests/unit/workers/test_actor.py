"""One attempt from its assignment to its outcome, with recipes that do as they are told."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.rpc import code_pb2
from tunesmith.config.v1 import export_configuration_pb2, method_pb2
from tunesmith.job.v1 import artifact_pb2, job_event_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.errors import InvalidArgument
from tests.fakes.assignments import ROWS, lora_assignment
from tests.fakes.worker_door import FakeDoor, FakeJob
from workers.actor import (
    ABANDONED_EXIT_CODE,
    RECIPES,
    Export,
    Recipe,
    TrainingActor,
    _export,
    use_threads_of_a_plain_script,
)
from workers.door import LeaseLost
from workers.export.inputs import ExportInputs
from workers.training.inputs import Inputs
from workers.training.sink import Sink, obey

KEY = ("local", method_pb2.TRAINING_OBJECTIVE_SFT)
FILES = {"config.json": b"{}"}


class Exited(BaseException):
    """Where a real process would have ended."""


class Stage:
    """A door, and actors that run one recipe."""

    def __init__(self, server: FakeDoor, home: Path) -> None:
        self.server, self.home = server, home
        self.exits: list[int] = []

    def actor(self, recipe: Recipe, export: Export = _export) -> TrainingActor:
        home, address = str(self.home), self.server.address
        return TrainingActor(home, address, "pool", "INFO", None, 60.0, 2**30, {KEY: recipe}, self._exit, export)

    def run(self, recipe: Recipe, change: Callable[[FakeJob], None] = lambda _: None) -> tuple[FakeJob, worker.Outcome]:
        job = self.server.add_job(lora_assignment(lease_seconds=0.6), ROWS, **FILES)
        assignment = self.server.take(job)
        change(job)
        return job, worker.Outcome.FromString(self.actor(recipe).run(assignment.SerializeToString()))

    def work_left(self) -> list[Path]:
        return list((self.home / "work").iterdir())

    def wait_for_exit(self) -> None:
        """Whichever thread learns it first; in a process of its own, that is the end of all of them."""
        end = time.monotonic() + 10
        while not self.exits and time.monotonic() < end:
            time.sleep(0.01)
        assert self.exits == [ABANDONED_EXIT_CODE]

    def _exit(self, code: int) -> None:
        self.exits.append(code)
        if threading.current_thread() is threading.main_thread():
            raise Exited


@pytest.fixture
def stage(server: FakeDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    # An actor moves into its work folder; the test moves back.
    monkeypatch.chdir(tmp_path)
    yield Stage(server, tmp_path / "home")


def save_adapter(assignment: worker.Assignment, inputs: Inputs, sink: Sink) -> None:
    sink.metrics(1, {"train_loss": 1.0})
    folder = inputs.work_folder / "adapter"
    folder.mkdir()
    (folder / "copy.json").write_bytes((Path(inputs.base_model) / "config.json").read_bytes())
    sink.add_artifacts(artifact_pb2.ARTIFACT_KIND_ADAPTER, "adapter", 1, folder)


def test_a_job_runs_to_its_outcome(stage: Stage) -> None:
    job, outcome = stage.run(save_adapter)
    assert outcome == job.outcome == worker.Outcome(succeeded=worker.Succeeded())
    assert job.artifacts == {"adapter": {"copy.json": b"{}"}}
    assert job.events(job_event_pb2.JOB_EVENT_TYPE_STAGE) == ["Fetching the inputs"]
    assert stage.work_left() == []
    assert stage.exits == []


def test_an_error_made_for_people_reaches_them(stage: Stage) -> None:
    def refuse(*_: object) -> None:
        raise InvalidArgument([("datasets.training_file_id", "row 3 has no text; add one")])

    job, outcome = stage.run(refuse)
    assert outcome.failed.code == code_pb2.INVALID_ARGUMENT
    assert "row 3 has no text" in outcome.failed.message
    assert job.outcome == outcome
    assert stage.work_left() == []


def test_an_error_that_nobody_foresaw_is_a_failure_too(stage: Stage) -> None:
    def crash(*_: object) -> None:
        raise KeyError("q_proj")

    job, outcome = stage.run(crash)
    assert outcome.failed.code == code_pb2.INTERNAL
    assert "KeyError" in outcome.failed.message
    assert job.outcome == outcome


@pytest.mark.parametrize(("directive", "kind"), [(worker.DIRECTIVE_CANCEL, "cancelled"), (worker.DIRECTIVE_PAUSE, "paused")])
def test_a_recipe_that_was_told_to_stop_says_so(stage: Stage, directive: worker.Directive, kind: str) -> None:
    def wait_for_word(assignment: worker.Assignment, inputs: Inputs, sink: Sink) -> None:
        while True:
            obey(sink)

    _, outcome = stage.run(wait_for_word, lambda job: setattr(job, "directive", directive))
    assert outcome.WhichOneof("kind") == kind


def test_a_job_is_cancelled_while_its_inputs_are_fetched(stage: Stage) -> None:
    def cancel(job: FakeJob) -> None:
        def wait_for_a_beat() -> None:
            job.directive = worker.DIRECTIVE_CANCEL
            seen = job.heartbeats
            stage.server.wait_for(lambda: job.heartbeats >= seen + 2)

        stage.server.on_chunk = wait_for_a_beat

    ran: list[int] = []
    _, outcome = stage.run(lambda *_: ran.append(1), cancel)
    assert outcome.WhichOneof("kind") == "cancelled"
    assert ran == []


def test_a_recipe_whose_lease_is_lost_ends_with_its_process(stage: Stage) -> None:
    def lose(assignment: worker.Assignment, inputs: Inputs, sink: Sink) -> None:
        folder = inputs.work_folder / "adapter"
        folder.mkdir()
        (folder / "weights").touch()
        stage.server.fence(stage.server.jobs[assignment.lease.job_id])
        try:
            sink.add_artifacts(artifact_pb2.ARTIFACT_KIND_ADAPTER, "adapter", 1, folder)
        finally:
            stage.wait_for_exit()
            assert stage.work_left() == []

    with pytest.raises((Exited, LeaseLost)):
        stage.run(lose)


def test_a_lease_that_is_lost_while_inputs_are_fetched_ends_the_process(stage: Stage) -> None:
    with pytest.raises((Exited, LeaseLost)):
        stage.run(save_adapter, stage.server.fence)
    stage.wait_for_exit()


def test_a_job_that_no_recipe_runs_is_refused_by_name(stage: Stage) -> None:
    job = stage.server.add_job(lora_assignment(), ROWS, **FILES)
    assignment = stage.server.take(job)
    assignment.configuration.method.objective = method_pb2.TRAINING_OBJECTIVE_DPO
    stage.actor(save_adapter).run(assignment.SerializeToString())
    assert job.outcome is not None
    assert "no recipe for local, TRAINING_OBJECTIVE_DPO" in job.outcome.failed.message


def test_a_job_id_that_is_none_is_no_folder(stage: Stage) -> None:
    assignment = lora_assignment()
    assignment.lease.job_id, assignment.lease.epoch = "../../evil", 1
    with pytest.raises(Exception, match="is no job's id"):
        stage.actor(save_adapter).run(assignment.SerializeToString())
    assert stage.work_left() == []


def test_a_new_actor_clears_what_a_dead_one_left(stage: Stage) -> None:
    left = [stage.home / "work" / "job-1" / "half", stage.home / "cache" / "partial" / "half"]
    for path in left:
        path.parent.mkdir(parents=True)
        path.touch()
    stage.actor(save_adapter)
    assert [path.exists() for path in left] == [False, False]
    assert Path.cwd() == stage.home / "work"


def test_an_export_gets_its_source_and_goes_another_way(stage: Stage) -> None:
    seen: dict[str, bytes] = {}

    def copy_source(assignment: worker.Assignment, inputs: ExportInputs, sink: Sink) -> None:
        seen.update({path.name: path.read_bytes() for path in inputs.source.iterdir()})
        assert inputs.base_model is not None
        folder = inputs.work_folder / "gguf"
        folder.mkdir()
        (folder / "base.json").write_bytes((Path(inputs.base_model) / "config.json").read_bytes())
        sink.add_artifacts(artifact_pb2.ARTIFACT_KIND_GGUF, "gguf", 3, folder)

    job = stage.server.add_job(lora_assignment(), ROWS, **FILES)
    job.give_source({"adapter_config.json": b"{}", "adapter_model.safetensors": b"w" * 3000})
    assignment = stage.server.take(job)
    assignment.export.format = export_configuration_pb2.EXPORT_FORMAT_GGUF
    outcome = worker.Outcome.FromString(stage.actor(save_adapter, copy_source).run(assignment.SerializeToString()))
    assert outcome == worker.Outcome(succeeded=worker.Succeeded())
    assert seen == job.source_files
    assert job.artifacts == {"gguf": {"base.json": b"{}"}}
    assert "ReadDataset" not in stage.server.calls
    assert stage.work_left() == []


def test_an_export_that_fails_says_why(stage: Stage) -> None:
    job = stage.server.add_job(lora_assignment(), ROWS, **FILES)
    job.give_source({"config.json": b"{}"})
    assignment = stage.server.take(job)
    assignment.export.format = export_configuration_pb2.EXPORT_FORMAT_ADAPTER
    # The real one: what is given is a model, and no adapter.
    stage.actor(save_adapter).run(assignment.SerializeToString())
    assert job.outcome is not None
    assert "a whole model and no adapter" in job.outcome.failed.message
    assert "ReadBaseModelFile" not in stage.server.calls


def test_the_table_of_recipes_is_what_the_local_provider_offers() -> None:
    from workers.providers.local.provider import LOCAL

    assert set(RECIPES) == {(LOCAL.id, objective) for objective in LOCAL.capabilities.objectives}
    assert len(RECIPES) == 5


@pytest.mark.parametrize("mine", [None, "3"])
def test_threads_are_those_of_a_plain_script(monkeypatch: pytest.MonkeyPatch, mine: str | None) -> None:
    # What Ray sets for an actor that holds eight logical cores.
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    use_threads_of_a_plain_script(mine)
    assert os.environ.get("OMP_NUM_THREADS") == mine


_HANGING_ACTOR = """
import sys, time
from tunesmith.config.v1 import method_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker
from services.chassis.errors import DeadlineExceeded
from workers.actor import TrainingActor
from workers.training.watchdog import Watchdog

address, home, assignment = sys.argv[1:]

def hang(given, inputs, sink):
    told = lambda step, seconds, limit: sink.hung(DeadlineExceeded("STEP_TIMEOUT", f"step {step} hangs"))
    with Watchdog(0.3, told) as dog:
        dog.begin(4, 0.01)
        time.sleep(60)

key = ("local", method_pb2.TRAINING_OBJECTIVE_SFT)
TrainingActor(home, address, "pool", "INFO", None, 60.0, 2**30, {key: hang}).run(bytes.fromhex(assignment))
"""


def test_a_step_that_hangs_ends_the_process_and_the_job_goes_to_another_attempt(stage: Stage) -> None:
    job = stage.server.add_job(lora_assignment(lease_seconds=5.0), ROWS, **FILES)
    assignment = stage.server.take(job).SerializeToString().hex()
    command = [sys.executable, "-c", _HANGING_ACTOR, stage.server.address, str(stage.home), assignment]
    ended = subprocess.run(command, cwd=Path(__file__).parents[3], timeout=60, capture_output=True, text=True, check=False)
    assert ended.returncode == ABANDONED_EXIT_CODE, ended.stderr
    assert (job.released, job.leased, job.outcome) == (["step 4 hangs"], False, None)
    assert [error.code for error in job.release_errors] == [code_pb2.DEADLINE_EXCEEDED]
    assert stage.work_left() == []
    # Where it hung stands in the log.
    assert "step_hangs" in ended.stdout + ended.stderr
    assert "in hang" in ended.stdout + ended.stderr
