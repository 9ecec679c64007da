"""One attempt at a job, as its recipe sees it: from where it stands to a stored result."""

import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import PrinterCallback, set_seed
from tunesmith.config.v1 import method_pb2
from tunesmith.job.v1 import artifact_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import ServiceError
from services.chassis.failpoints import failpoint
from workers.export import hub
from workers.providers.local.plan import TrainingPlan, plan
from workers.training.best import BestWeights
from workers.training.cadence import Cadence
from workers.training.device_features import Device, fitted
from workers.training.failures import step_timeout
from workers.training.inputs import Inputs
from workers.training.layers import LayerHistory
from workers.training.memory import MemoryMeter, release
from workers.training.model_card import Losses
from workers.training.optimizer_state import forget_overrides
from workers.training.quiet import quiet
from workers.training.recipes import recipe_of
from workers.training.recorder import Recorder
from workers.training.run_length import leave_room_to_fall, total_steps
from workers.training.saving import save_weights
from workers.training.sink import Sink, obey
from workers.training.trackers import tracked
from workers.training.training_state import TrainingState, Unusable, facts_of, trained, write
from workers.training.watchdog import Watchdog

STATE_NAME = "training-state"
# A checkpoint that a person may want to go on from has the state beside it. That of a large model which is trained as a whole
# would take several times what the checkpoint takes, at each of them.
MOST_CHECKPOINT_STATE_BYTES = 2 * 1024**3
# Weights, and what optimisers hold for each.
_STATE_OF_WEIGHTS = 3

Assignment = worker_service_pb2.Assignment


class Attempt:
    """What a recipe has: `assignment` and `plan` say what to do, `inputs` where to find it, `sink` whom to tell."""

    def __init__(self, assignment: Assignment, inputs: Inputs, sink: Sink) -> None:
        self.assignment = assignment
        self.inputs = inputs
        self.sink = sink
        asked = plan(assignment.configuration, assignment.training_dataset.format)
        self.plan: TrainingPlan = fitted(asked, Device.here(), sink.warning)
        meter = MemoryMeter()
        self._watchdog = Watchdog(self.plan.step_timeout_s, self._give_up)
        self.recorder = Recorder(sink, self.plan, meter, self._cadence(), self._watchdog)
        self._best = BestWeights(inputs.work_folder / "best")
        set_seed(self.plan.trainer["seed"])

    def _cadence(self) -> Cadence:
        return Cadence(self.inputs.training_state_seconds)

    def _layers(self, trainer: Any) -> LayerHistory:
        return LayerHistory(trainer)

    @property
    def trainer_folder(self) -> Path:
        """Where a library's trainer may write."""
        return self.inputs.work_folder / "trainer"

    def stage(self, message: str) -> None:
        """A stage begins; raises Stopped if a person wants no more."""
        obey(self.sink)
        self.sink.stage(message)

    def train(self, trainer: Any, processor: Any) -> None:
        """Train from where an earlier attempt stood, or from the beginning, and store the result.

        `trainer` is Durable; `processor` is the tokenizer or image processor that is saved beside the weights.
        """
        obey(self.sink)
        # It prints every step's figures to standard output.
        trainer.remove_callback(PrinterCallback)
        leave_room_to_fall(trainer)
        facts = facts_of(self.assignment, total_steps(trainer))

        def store_what_is_due(step: int) -> None:
            is_state_due = self.recorder.is_state_due()
            if self.recorder.is_checkpoint(step):
                losses = self.recorder.losses(step)
                self._store_weights(trainer, processor, artifact_pb2.ARTIFACT_KIND_CHECKPOINT, f"checkpoint-{step}", losses)
                if step < self.recorder.total_steps and self._has_small_state(trainer):
                    self._store_state(trainer, facts, artifact_pb2.ARTIFACT_KIND_CHECKPOINT_STATE, f"checkpoint-{step}-state")
            if is_state_due:
                self._store_state(trainer, facts)

        trainer.save = store_what_is_due
        self.recorder.layers = self._layers(trainer)
        trainer.before_clipping = self.recorder.layers.before_clipping
        if self.plan.keeps_best:
            self.recorder.best_so_far = lambda: self._best.keep(trainer)
        earlier = self._earlier_state(trainer, facts)
        with self._watchdog:
            if earlier is None:
                trainer.train()
            else:
                self.recorder.take_over(earlier.recorded)
                if self.plan.keeps_best:
                    self._best.take_over(earlier.folder)
                trainer.go_on_from(earlier)

        losses = self._choose_weights(trainer)
        self.sink.stage("Saving the result")
        adapter = self.assignment.configuration.method.type != method_pb2.TRAINING_METHOD_FULL
        kind, name = (artifact_pb2.ARTIFACT_KIND_ADAPTER, "adapter") if adapter else (artifact_pb2.ARTIFACT_KIND_MODEL, "model")
        self._store_weights(trainer, processor, kind, name, losses, self._push)
        failpoint("result.stored")
        self.sink.measured(self.recorder.figures())

    def _choose_weights(self, trainer: Any) -> Losses:
        """Bring back the best weights if they are wanted; answers what was measured of those that are the result."""
        step, best = trainer.state.global_step, self.recorder.best_step
        if not self.plan.keeps_best:
            return self.recorder.losses(step)
        losses = self.recorder.best_losses()
        if best != step:
            self._best.restore(trainer)
            where = "before the first step" if best == 0 else f"at step {best}"
            text = f"The result is what stood {where}, where the validation loss was lowest ({losses.last_evaluation:.4g})"
            self.sink.stage(text)
        return losses

    def _store_weights(
        self,
        trainer: Any,
        processor: Any,
        kind: artifact_pb2.ArtifactKind,
        name: str,
        losses: Losses,
        and_then: Callable[[Path], None] = lambda _: None,
    ) -> None:
        folder = self.inputs.work_folder / name
        save_weights(trainer.model, processor, folder, self.assignment, self.plan, losses)
        self._store(kind, name, losses.step, folder, and_then)

    def _push(self, folder: Path) -> None:
        """Push the result to a hub if that was asked for. It is stored by then: a push that fails loses nothing."""
        wanted = self.assignment.configuration.integrations
        if not wanted.HasField("huggingface"):
            return
        self.sink.stage(f"Pushing to {wanted.huggingface.output_repo_name}")
        try:
            self.sink.stage(f"Pushed to {hub.push(folder, wanted.huggingface)}")
        except ServiceError as error:
            self.sink.warning(f"The result is stored with this job, but was not pushed: {error.message}")

    def _give_up(self, step: int, seconds: float, limit_s: float) -> None:
        """A step hangs: end the attempt, one way or the other. Called by the watchdog's thread."""
        error = step_timeout(step, self.recorder.total_steps, seconds, limit_s)
        # For a step that ends after all, where nothing ends the process.
        self.recorder.failure = error
        self.sink.hung(error)

    def _earlier_state(self, trainer: Any, facts: dict[str, str]) -> TrainingState | None:
        """Where to go on from; None, with a warning if there was something, to begin at the beginning."""
        if self.inputs.training_state is None:
            return None
        try:
            earlier = TrainingState.read(self.inputs.training_state)
            earlier.check(trainer, facts)
        except Unusable as reason:
            self.sink.warning(f"Where the attempt before stood can't be used, so this one starts over: {reason}")
            return None
        device = trainer.args.device.type
        if earlier.device != device:
            text = (
                f"The first {earlier.step} steps were trained on {earlier.device} and the rest is on {device}; figures may jump"
            )
            self.sink.warning(text)
        return earlier

    def _has_small_state(self, trainer: Any) -> bool:
        """Whether a training state may lie beside every checkpoint."""
        size = _STATE_OF_WEIGHTS * sum(tensor.nbytes for tensor in trained(trainer).values())
        return size <= MOST_CHECKPOINT_STATE_BYTES

    def _store_state(
        self,
        trainer: Any,
        facts: dict[str, str],
        kind: artifact_pb2.ArtifactKind = artifact_pb2.ARTIFACT_KIND_TRAINING_STATE,
        name: str = STATE_NAME,
    ) -> None:
        """Store where training stands. Training goes on if that is refused."""
        began = time.monotonic()
        step, folder = trainer.state.global_step, self.inputs.work_folder / name
        try:
            self._write_and_store(trainer, folder, facts, kind, name)
        except (ServiceError, OSError, SafetensorError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            text = f"Where training stands at step {step} could not be stored, so a crash or a pause loses more: {error}"
            self.sink.warning(text)
            self.recorder.state_failed(time.monotonic() - began)
            return
        failpoint("training_state.stored")
        self.recorder.state_stored(time.monotonic() - began)

    def _write_and_store(
        self, trainer: Any, folder: Path, facts: dict[str, str], kind: artifact_pb2.ArtifactKind, name: str
    ) -> None:
        write(trainer, folder, facts, self.recorder.recorded(), self._best.files())
        self._store(kind, name, trainer.state.global_step, folder)

    def _store(
        self,
        kind: artifact_pb2.ArtifactKind,
        name: str,
        step: int,
        folder: Path,
        and_then: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self.sink.add_artifacts(kind, name, step, folder)
        and_then(folder)
        shutil.rmtree(folder)


def run(assignment: Assignment, inputs: Inputs, sink: Sink) -> None:
    """Train, and store the result as artifacts. Raises Stopped if told to, and else what `failures.status_of` explains.

    May be called again and again in one process: nothing is left over, and an equal job gets equal losses.
    """
    with nothing_left_over(), quiet(), tracked(assignment, sink) as heard:
        recipe_of(assignment.configuration.method.objective)(Attempt(assignment, inputs, heard))


@contextmanager
def nothing_left_over() -> Iterator[None]:
    """A run that leaves its process as it found it, however it ends."""
    try:
        yield
    except BaseException as error:
        # The frames that the exception went through hold the model and its gradients for as long as somebody holds it.
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        forget_overrides()
        release()
