"""What happens between two steps: figures out, directives in, and when to evaluate and save."""

import math
import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from tunesmith.job.v1 import job_pb2
from tunesmith.worker.v1 import worker_service_pb2

from workers.providers.local.plan import TrainingPlan
from workers.training.cadence import Cadence
from workers.training.failures import not_finite
from workers.training.layers import LayerHistory
from workers.training.memory import MemoryMeter
from workers.training.model_card import Losses
from workers.training.sink import Sink, Stopped
from workers.training.watchdog import Watchdog

# Of how many steps the last ones say how long the next will take.
_RECENT_STEPS = 50
# What the trainers of some objectives log besides, and the series that it becomes; of an evaluation with `eval_` before both.
OBJECTIVE_SERIES = {
    "rewards/accuracies": "reward_accuracy",
    "rewards/margins": "reward_margin",
    "rewards/chosen": "chosen_reward",
    "rewards/rejected": "rejected_reward",
    "teacher_divergence": "teacher_divergence",
    "accuracy": "accuracy",
    "macro_f1": "macro_f1",
}


def spread(count: int, total_steps: int) -> set[int]:
    """Steps that divide a run evenly, the last one at its end; fewer than asked for if the run has fewer steps."""
    return {math.ceil(total_steps * k / count) for k in range(1, count + 1)}


@dataclass
class Recorded:
    """What figures and model card are made from. An attempt takes it over from the one before."""

    first_training_loss: float | None = None
    last_training_loss: float | None = None
    first_evaluation_loss: float | None = None
    last_evaluation_loss: float | None = None
    # The evaluation with the lowest loss, and how many since then were no better.
    best_evaluation_loss: float | None = None
    best_step: int = 0
    training_loss_at_best: float | None = None
    evaluations_without_better: int = 0
    # See layers.LayerHistory.
    steps_between_norms: int | None = None
    tokens: float = 0
    step_seconds: list[float] = field(default_factory=list)
    peak_memory_bytes: int = 0
    # From the beginning of the run, without what was lost between attempts.
    duration_seconds: float = 0


class Recorder(TrainerCallback):
    """Tells the sink what the trainer does and stops the trainer when the sink says so.

    After a step the trainer logs, evaluates and saves, in this order; a pause is obeyed behind its training state.
    """

    # Watches the layers of the model that is trained; there from the beginning of training on.
    layers: LayerHistory

    def __init__(self, sink: Sink, plan: TrainingPlan, meter: MemoryMeter, cadence: Cadence, watchdog: Watchdog) -> None:
        self._sink = sink
        self._plan = plan
        self._meter = meter
        self._cadence = cadence
        self._watchdog = watchdog
        self._began = time.monotonic()
        self._checkpoint_steps: set[int] = set()
        self._evaluation_steps: set[int] = set()
        self._histogram_steps: set[int] = set()
        self._pausing = self._state_due = self._failed = False
        self._step_began = 0.0
        self._recorded = Recorded()
        self._recent_seconds: deque[float] = deque(maxlen=_RECENT_STEPS)
        # Of the run as it is, which may have stopped early, and as it was planned.
        self.total_steps = self._planned_steps = 0
        # Whether this attempt has done a step.
        self._has_stepped = False
        # Called when an evaluation has just ended whose loss is lower than all before.
        self.best_so_far: Callable[[], None] = lambda: None
        # Why to end at the next batch, if there is a reason.
        self.failure: Exception | None = None

    def take_over(self, recorded: dict[str, Any]) -> None:
        """Go on from what an earlier attempt recorded."""
        self._recorded = Recorded(**recorded)
        self._recent_seconds.extend(self._recorded.step_seconds)
        self.layers.steps_between = self._recorded.steps_between_norms

    def recorded(self) -> dict[str, Any]:
        """What the next attempt takes over, as JSON."""
        now = asdict(self._recorded)
        now["step_seconds"] = [round(seconds, 6) for seconds in self._recorded.step_seconds]
        now["steps_between_norms"] = self.layers.steps_between
        return now | {"peak_memory_bytes": self._peak(), "duration_seconds": self._duration()}

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """The data are counted: now the length of the run is known."""
        self.total_steps = self._planned_steps = state.max_steps
        self._checkpoint_steps = spread(self._plan.checkpoints, state.max_steps)
        self._evaluation_steps = spread(self._plan.evaluations, state.max_steps)
        self._histogram_steps = spread(self._plan.histograms, state.max_steps)
        self._sink.progress(state.global_step, state.max_steps, state.epoch, None)
        earlier = state.global_step > 0
        self._sink.stage(f"Going on from step {state.global_step}" if earlier else f"Training for {state.max_steps} steps")
        if self._plan.histograms and not earlier:
            self._sink.histograms(self.layers.histograms(0))
        self._cadence.begin()

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """A step's first batch is about to run."""
        self._step_began = time.perf_counter()
        self._watch_step(state)

    def on_substep_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """A batch ended that is not its step's last."""
        self._watchdog.goes_on()
        self._cancel_if_told()

    def on_prediction_step(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """A batch of an evaluation ended."""
        self._cancel_if_told()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """The weights moved."""
        control.should_evaluate = state.global_step in self._evaluation_steps
        control.should_save = self.is_checkpoint(state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """A step's figures; evaluations and the run's end log too, under other keys."""
        if logs is None or "loss" not in logs:
            return
        # Not before: on a GPU the step only ends when its loss is read.
        seconds = time.perf_counter() - self._step_began
        self._watchdog.end()
        self._has_stepped = True
        self._recorded.step_seconds.append(seconds)
        self._recent_seconds.append(seconds)
        if self._recorded.first_training_loss is None:
            self._recorded.first_training_loss = logs["loss"]
        self._recorded.last_training_loss = logs["loss"]
        self._check_finite(args, state, {"training loss": logs["loss"], "gradient": logs["grad_norm"]})
        self._tell_step(state, logs)
        if state.global_step in self._histogram_steps:
            self._sink.histograms(self.layers.histograms(state.global_step))
        directive = self._cancel_if_told()
        if state.global_step < state.max_steps:
            self._pausing = directive == worker_service_pb2.DIRECTIVE_PAUSE and self._may_pause()
            self._state_due = self._pausing or self._cadence.is_due(self._remaining(state))
            control.should_save = control.should_save or self._state_due
            if not control.should_evaluate and not control.should_save:
                # The next step begins with fetching its rows.
                self._watch_step(state)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """An evaluation ended."""
        if metrics is None:
            return
        loss = metrics["eval_loss"]
        self._check_finite(args, state, {"validation loss": loss})
        if self._recorded.first_evaluation_loss is None:
            self._recorded.first_evaluation_loss = loss
        self._recorded.last_evaluation_loss = loss
        self._sink.metrics(state.global_step, {"eval_loss": loss} | _of_objective(metrics, "eval_"))
        self._sink.evaluated(state.global_step, loss)
        first = self._recorded.first_evaluation_loss
        self._sink.measured(job_pb2.JobFigures(first_evaluation_loss=first, last_evaluation_loss=loss))
        self._judge(state.global_step, loss)
        patience = self._plan.patience
        if patience and self._recorded.evaluations_without_better >= patience and state.global_step < state.max_steps:
            self._stop_early(state, control, patience)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """What was due is stored."""
        if self._pausing:
            raise Stopped(worker_service_pb2.DIRECTIVE_PAUSE)

    def is_checkpoint(self, step: int) -> bool:
        """Whether a checkpoint was asked for at a step."""
        return step in self._checkpoint_steps

    def is_state_due(self) -> bool:
        """Whether to store where training stands behind this step."""
        return self._state_due

    def state_stored(self, cost_s: float) -> None:
        """A training state is stored; it took so long."""
        self._cadence.tried(cost_s)
        self._failed = self._state_due = False

    def state_failed(self, cost_s: float) -> None:
        """A training state could not be stored. A pause is tried again with the next one: it would lose all that was done."""
        self._cadence.tried(cost_s)
        self._failed, self._state_due, self._pausing = True, False, False

    @property
    def best_step(self) -> int:
        """The step of the evaluation with the lowest loss."""
        return self._recorded.best_step

    def best_losses(self) -> Losses:
        """What was measured of the weights that stood at the evaluation with the lowest loss."""
        recorded = self._recorded
        return replace(
            self.losses(recorded.best_step),
            last_training=recorded.training_loss_at_best,
            last_evaluation=recorded.best_evaluation_loss,
            is_best=True,
        )

    def losses(self, step: int) -> Losses:
        """What was measured up to now."""
        return Losses(
            step=step,
            total_steps=self.total_steps,
            planned_steps=self._planned_steps,
            first_training=self._recorded.first_training_loss,
            last_training=self._recorded.last_training_loss,
            first_evaluation=self._recorded.first_evaluation_loss,
            last_evaluation=self._recorded.last_evaluation_loss,
        )

    def figures(self) -> job_pb2.JobFigures:
        """What the whole run measured; evaluations and saving count in none of the rates."""
        return job_pb2.JobFigures(
            peak_memory_bytes=self._peak(),
            step_seconds=statistics.median(self._recorded.step_seconds),
            tokens_per_second=self._recorded.tokens / sum(self._recorded.step_seconds),
            duration_seconds=self._duration(),
        )

    def _tell_step(self, state: TrainerState, logs: dict[str, float]) -> None:
        step, seconds = state.global_step, self._recorded.step_seconds[-1]
        tokens, self._recorded.tokens = logs["num_tokens"] - self._recorded.tokens, logs["num_tokens"]
        values = {
            "train_loss": logs["loss"],
            "learning_rate": logs["learning_rate"],
            "gradient_norm": logs["grad_norm"],
            "tokens_per_second": tokens / seconds,
            "memory_bytes": float(self._meter.now()),
            "epoch": logs["epoch"],
        } | _of_objective(logs)
        values |= self.layers.norms(step, state.max_steps, tokens)
        self._sink.metrics(step, values)
        self._sink.progress(step, state.max_steps, logs["epoch"], self._remaining(state))

    def _judge(self, step: int, loss: float) -> None:
        """Whether the evaluation that has just ended is the best one so far."""
        recorded = self._recorded
        if recorded.best_evaluation_loss is not None and loss >= recorded.best_evaluation_loss:
            recorded.evaluations_without_better += 1
            return
        recorded.best_evaluation_loss, recorded.best_step, recorded.evaluations_without_better = loss, step, 0
        recorded.training_loss_at_best = recorded.last_training_loss
        self.best_so_far()

    def _stop_early(self, state: TrainerState, control: TrainerControl, patience: int) -> None:
        """End the run here: what belongs to its end comes now, and there is nothing left to pause for or to go on from."""
        step, recorded = state.global_step, self._recorded
        control.should_training_stop = True
        self._pausing = self._state_due = False
        if self._plan.checkpoints:
            self._checkpoint_steps.add(step)
        control.should_save = self.is_checkpoint(step)
        if self._plan.histograms and step not in self._histogram_steps:
            self._sink.histograms(self.layers.histograms(step))
        self.total_steps = step
        what = "1 evaluation was" if patience == 1 else f"{patience} evaluations in a row were"
        best = "before the first step" if recorded.best_step == 0 else f"at step {recorded.best_step}"
        loss = f"{recorded.best_evaluation_loss:.4g}"
        self._sink.stage(f"Stopped early at step {step} of {state.max_steps}: {what} no better than the loss of {loss} {best}")
        self._sink.progress(step, step, state.epoch or 0.0, 0.0)

    def _watch_step(self, state: TrainerState) -> None:
        """The next step has begun."""
        seconds = statistics.median(self._recent_seconds) if self._has_stepped else None
        self._watchdog.begin(state.global_step + 1, seconds)

    def _remaining(self, state: TrainerState) -> float:
        """Seconds, from what the last steps took; no time is left of a run that has not finished a step."""
        return statistics.median(self._recent_seconds or (0.0,)) * (state.max_steps - state.global_step)

    def _may_pause(self) -> bool:
        return not self._failed or self._cadence.is_past()

    def _peak(self) -> int:
        return max(self._recorded.peak_memory_bytes, self._meter.peak())

    def _duration(self) -> float:
        return self._recorded.duration_seconds + time.monotonic() - self._began

    def _check_finite(self, args: TrainingArguments, state: TrainerState, values: dict[str, float]) -> None:
        for what, value in values.items():
            if not math.isfinite(value):
                raise not_finite(what, value, state.global_step, args.learning_rate)

    def _cancel_if_told(self) -> worker_service_pb2.Directive:
        if self.failure is not None:
            raise self.failure
        directive = self._sink.directive()
        if directive == worker_service_pb2.DIRECTIVE_CANCEL:
            raise Stopped(directive)
        return directive


def _of_objective(logs: dict[str, float], prefix: str = "") -> dict[str, float]:
    return {f"{prefix}{name}": logs[f"{prefix}{key}"] for key, name in OBJECTIVE_SERIES.items() if f"{prefix}{key}" in logs}
