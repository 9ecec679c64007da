"""An attempt that goes on where an earlier one stood gives what one run would have given, to the last bit."""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tunesmith.job.v1 import artifact_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import FailedPrecondition
from workers.training import recorder, training_state
from workers.training.inputs import Inputs

from .conftest import Job, RecordingSink

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
PAUSE = worker_service_pb2.DIRECTIVE_PAUSE
STATE = ("training-state", artifact_pb2.ARTIFACT_KIND_TRAINING_STATE)
# What has to be equal at every step; the other series measure time and memory.
SERIES = ("train_loss", "learning_rate", "gradient_norm", "eval_loss", "epoch")
ROOT = Path(__file__).parents[3]

BF16 = {"precision": "MODEL_PRECISION_BF16"}
DROPOUT = {"lora_config": {"dropout": 0.2}}
EIGHT_BIT, PAGED = "OPTIMIZATION_FEATURE_OPTIMIZER_8BIT", "OPTIMIZATION_FEATURE_PAGED_OPTIMIZER"
CHECKPOINTING, DYNAMIC = "OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING", "OPTIMIZATION_FEATURE_DYNAMIC_PADDING"
# Eight rows are four batches of two: with three batches a step, an epoch has two steps, and its last is of one batch.
TWO_UNEVEN_EPOCHS = {"max_steps": None, "epochs": 2, "gradient_accumulation": 3}

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "full": (
        "FULL",
        {"schedule": {"max_steps": 6, "evaluations": 2}, "optimizer": {"weight_decay": 0.1, "scheduler": {"warmup_ratio": 0.5}}},
    ),
    "full, BF16": ("FULL", {"model": BF16, "optimizations": {"enabled": [DYNAMIC, CHECKPOINTING]}}),
    "full, held in BF16": ("FULL", {"model": {**BF16, "master_weights": False}}),
    "full, held in BF16, 8-bit": (
        "FULL",
        {"model": {**BF16, "master_weights": False}, "optimizations": {"enabled": [DYNAMIC, EIGHT_BIT]}},
    ),
    "full, 8-bit": ("FULL", {"optimizations": {"enabled": [DYNAMIC, EIGHT_BIT]}}),
    "full, paged": ("FULL", {"optimizations": {"enabled": [DYNAMIC, PAGED]}}),
    "full, BF16, paged 8-bit": ("FULL", {"model": BF16, "optimizations": {"enabled": [DYNAMIC, EIGHT_BIT, PAGED]}}),
    "LoRA": ("LORA", {"method": DROPOUT, "schedule": {"max_steps": 10, "evaluations": 5}}),
    "LoRA, uneven epochs": ("LORA", {"method": DROPOUT, "schedule": {**TWO_UNEVEN_EPOCHS, "evaluations": 4}}),
    "LoRA, BF16": (
        "LORA",
        {"model": BF16, "method": DROPOUT, "optimizer": {"scheduler": {"min_lr_ratio": 0.1}, "max_gradient_norm": 0.2}},
    ),
    "LoRA, BF16, 8-bit": ("LORA", {"model": BF16, "method": DROPOUT, "optimizations": {"enabled": [DYNAMIC, EIGHT_BIT]}}),
}
# Where to interrupt, if not in the middle: at an evaluation, between epochs, in the first and in the last step of an epoch.
STOPS = {"full": (3,), "LoRA": (4, 7), "LoRA, uneven epochs": (1, 2, 3)}
INTERRUPTIONS = [(case, stop) for case in CASES for stop in STOPS.get(case, (2,))]


def job_of(case: str, make_job: MakeJob, directives: dict[int, Any] | None = None) -> Job:
    method, settings = CASES[case]
    return make_job("TEXT", settings, method=method, evaluate=True, directives=directives)


def points(sink: RecordingSink) -> dict[str, dict[int, float]]:
    return {key: sink.points[key] for key in SERIES if key in sink.points}


def together(*sinks: RecordingSink) -> dict[str, dict[int, float]]:
    """What a person sees of several attempts: a later one's points replace those of the same step."""
    joined: dict[str, dict[int, float]] = {}
    for sink in sinks:
        for key, values in points(sink).items():
            joined[key] = joined.get(key, {}) | values
    return joined


def weights(folder: Path) -> bytes:
    """Files that hold the same tensors are equal."""
    (result,) = [path for path in (folder / "adapter", folder / "model") if path.exists()]
    (file,) = result.glob("*.safetensors")
    return file.read_bytes()


def assert_same_result(whole: RecordingSink, *attempts: RecordingSink) -> None:
    assert together(*attempts) == points(whole)
    assert set(points(whole)) == set(SERIES)
    assert weights(attempts[-1].artifacts_folder) == weights(whole.artifacts_folder)


def test_the_cases_are_these() -> None:
    assert (len(CASES), len(INTERRUPTIONS)) == (11, 14)


@pytest.mark.parametrize(("case", "stop"), INTERRUPTIONS)
def test_a_paused_run_goes_on_as_if_it_had_never_stopped(case: str, stop: int, make_job: MakeJob) -> None:
    whole = job_of(case, make_job).run()
    paused = job_of(case, make_job, {stop: PAUSE})
    before = paused.stopped()
    assert before.sets == {"training-state": (artifact_pb2.ARTIFACT_KIND_TRAINING_STATE, stop)}
    after = paused.next_attempt().run()

    total = len(whole.losses())
    assert list(after.points["train_loss"]) == list(range(stop + 1, total + 1))
    assert_same_result(whole, before, after)
    assert min(after.points["eval_loss"]) > stop
    assert after.stages[-2:] == [f"Going on from step {stop}", "Saving the result"]
    assert after.steps[0] == (stop, total, before.steps[-1][2], None)
    assert [step for step, *_ in after.steps] == list(range(stop, total + 1))
    assert after.warnings == whole.warnings


def test_a_run_is_interrupted_again_and_again(make_job: MakeJob) -> None:
    whole = job_of("LoRA, uneven epochs", make_job).run()
    first = job_of("LoRA, uneven epochs", make_job, {1: PAUSE})
    first.stopped()
    second = first.next_attempt({2: PAUSE})
    second.stopped()
    third = second.next_attempt({3: PAUSE})
    third.stopped()
    last = third.next_attempt().run()
    assert_same_result(whole, first.sink, second.sink, third.sink, last)
    assert list(last.points["train_loss"]) == [4]


class Crash(Exception):
    """Where the process would have died."""


def crashing(job: Job, step: int) -> RecordingSink:
    """Store where training stands as soon as may be, and die when a later step is told."""

    class CrashingSink(RecordingSink):
        def metrics(self, at: int, values: dict[str, float]) -> None:
            super().metrics(at, values)
            if at == step:
                raise Crash

    job.inputs = with_interval(job.inputs, 1e-6)
    job.sink = CrashingSink(job.sink.artifacts_folder)
    with pytest.raises(Crash):
        job.run()
    return job.sink


def with_interval(inputs: Inputs, seconds: float) -> Inputs:
    return Inputs(**{**vars(inputs), "training_state_seconds": seconds})


@pytest.mark.parametrize("case", ["full, 8-bit", "LoRA"])
def test_a_run_that_died_goes_on_from_what_it_had_stored(case: str, make_job: MakeJob) -> None:
    whole = job_of(case, make_job).run()
    job = job_of(case, make_job)
    before = crashing(job, 4)
    assert before.sets == {"training-state": (artifact_pb2.ARTIFACT_KIND_TRAINING_STATE, 1)}
    after = job.next_attempt().run()
    assert next(iter(after.points["train_loss"])) == 2
    assert_same_result(whole, before, after)
    # What the two attempts both did came out the same.
    assert before.points["train_loss"] == {step: whole.points["train_loss"][step] for step in (1, 2, 3, 4)}


@pytest.mark.parametrize("case", ["full, 8-bit", "LoRA, BF16"])
def test_a_run_goes_on_in_another_process(case: str, make_job: MakeJob, tmp_path: Path) -> None:
    whole = job_of(case, make_job).run()
    paused = job_of(case, make_job, {2: PAUSE})
    before = paused.stopped()
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "assignment").write_bytes(paused.assignment.SerializeToString())
    given = {name: str(value) for name, value in vars(paused.next_attempt().inputs).items() if name != "training_state_seconds"}
    (folder / "inputs.json").write_text(json.dumps(given))
    subprocess.run([sys.executable, "-m", "tests.integration.training.attempt", str(folder)], cwd=ROOT, check=True, timeout=300)

    told = json.loads((folder / "points.json").read_text())
    after = RecordingSink(folder / "stored")
    after.points = {key: {int(step): value for step, value in told["points"][key].items()} for key in SERIES}
    assert list(after.points["train_loss"]) == [3, 4, 5]
    assert "Going on from step 2" in told["stages"]
    assert_same_result(whole, before, after)


def test_figures_are_those_of_the_whole_run(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    # A clock by which every step takes a second: tokens a second are then those of the step.
    clock = SimpleNamespace(perf_counter=lambda: float(next(ticks)), monotonic=lambda: float(next(ticks)))
    monkeypatch.setattr(recorder, "time", clock)
    whole = job_of("LoRA", make_job).run()
    paused = job_of("LoRA", make_job, {4: PAUSE})
    before = paused.stopped()
    after = paused.next_attempt().run()
    assert before.points["tokens_per_second"] | after.points["tokens_per_second"] == whole.points["tokens_per_second"]
    assert after.figures.tokens_per_second == whole.figures.tokens_per_second
    assert after.figures.step_seconds == whole.figures.step_seconds == 1
    assert after.figures.first_evaluation_loss == whole.figures.first_evaluation_loss
    assert after.figures.duration_seconds > len(before.losses())
    card = (after.artifacts_folder / "adapter" / "README.md").read_text()
    job_ids = (paused.assignment.lease.job_id, "job-0")
    assert card.replace(*job_ids) == (whole.artifacts_folder / "adapter" / "README.md").read_text()


def test_a_large_state_comes_in_several_files(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_state, "FILE_BYTES", 100_000)
    whole = job_of("full", make_job).run()
    paused = job_of("full", make_job, {2: PAUSE})
    before = paused.stopped()
    files = list((before.artifacts_folder / "training-state").glob("*.safetensors"))
    assert len([file for file in files if file.name.startswith("weights")]) > 2
    assert len([file for file in files if file.name.startswith("optimizer")]) > 4
    assert_same_result(whole, before, paused.next_attempt().run())


def test_states_hold_nothing_that_could_run(make_job: MakeJob) -> None:
    sink = job_of("full, 8-bit", make_job, {2: PAUSE}).stopped()
    names = sorted(path.name for path in (sink.artifacts_folder / "training-state").iterdir())
    assert names == [
        "optimizer-00001.safetensors",
        "random-00001.safetensors",
        "state.json",
        "trainer_state.json",
        "weights-00001.safetensors",
    ]
    # The case does what it says: most parameters have their state in 8 bits, the embeddings in 32.
    state = load_file(sink.artifacts_folder / "training-state" / "optimizer-00001.safetensors")
    kinds = {name: tensor.dtype for name, tensor in state.items() if name.startswith("state1/")}
    assert kinds["state1/model.embed_tokens.weight"] == torch.float32
    assert kinds["state1/model.layers.0.mlp.up_proj.weight"] == torch.uint8


HARMS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "another torch": (lambda content: content["facts"].update(torch="1.0"), "torch was 1.0 and is 2."),
    "another length": (
        lambda content: content["facts"].update({"the number of steps": "7"}),
        "the number of steps was 7 and is 5",
    ),
    "another library": (lambda content: content["facts"].update(apex="3"), "apex was 3 and is none"),
    "another format": (lambda content: content.update(format=0), "it has format 0"),
}


@pytest.mark.parametrize("harm", list(HARMS))
def test_a_state_that_does_not_fit_is_named_and_the_run_starts_over(harm: str, make_job: MakeJob) -> None:
    change, reason = HARMS[harm]
    whole = job_of("LoRA, BF16", make_job).run()
    paused = job_of("LoRA, BF16", make_job, {2: PAUSE})
    file = paused.stopped().artifacts_folder / "training-state" / "state.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    after = paused.next_attempt().run()
    (warning,) = after.warnings
    assert warning.startswith(f"Where the attempt before stood can't be used, so this one starts over: {reason}")
    assert list(after.points["train_loss"]) == [1, 2, 3, 4, 5]
    assert_same_result(whole, after)


def test_a_state_of_another_model_is_not_used(make_job: MakeJob) -> None:
    paused = job_of("LoRA", make_job, {2: PAUSE})
    paused.stopped()
    attempt = paused.next_attempt()
    other = make_job("TEXT", {**CASES["LoRA"][1], "method": {"lora_config": {"rank": 2}}}, evaluate=True)
    attempt.assignment.configuration.CopyFrom(other.assignment.configuration)
    (warning,) = attempt.run().warnings
    assert "the configuration was" in warning


class Unwilling(RecordingSink):
    """Takes no training state."""

    def add_artifacts(self, kind: artifact_pb2.ArtifactKind, name: str, step: int, folder: Path) -> None:
        if (name, kind) == STATE:
            raise FailedPrecondition("STORE_FULL", "the store is full")
        super().add_artifacts(kind, name, step, folder)


def test_a_state_that_is_not_taken_disturbs_nothing(make_job: MakeJob) -> None:
    whole = job_of("LoRA", make_job).run()
    job = job_of("LoRA", make_job)
    # A pause would lose what was done, so the run goes on, and the pause is tried again with the next state.
    job.sink = Unwilling(job.sink.artifacts_folder, {2: PAUSE, 3: PAUSE})
    sink = job.run()
    assert sink.warnings == [
        "Where training stands at step 2 could not be stored, so a crash or a pause loses more: the store is full"
    ]
    assert_same_result(whole, sink)
