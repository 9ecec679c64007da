"""What happens between two steps: figures out, directives in, and when to evaluate and save."""

import math
import statistics
import time
from collections import deque
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from tunesmith.job.v1 import job_pb2
from tunesmith.worker.v1 import worker_service_pb2

from workers.providers.local_plan import TrainingPlan
from workers.training.failures import not_finite
from workers.training.memory import MemoryMeter
from workers.training.model_card import Losses
from workers.training.sink import Sink, Stopped

# Of how many steps the last ones say how long the next will take.
_RECENT_STEPS = 50


def spread(count: int, total_steps: int) -> set[int]:
    """Steps that divide a run evenly, the last one at its end; fewer than asked for if the run has fewer steps."""
    return {math.ceil(total_steps * k / count) for k in range(1, count + 1)}


class Recorder(TrainerCallback):
    """Tells the sink what the trainer does and stops the trainer when the sink says so.

    After a step the trainer logs, evaluates and saves, in this order; a pause is obeyed behind its checkpoint.
    """

    def __init__(self, sink: Sink, plan: TrainingPlan, meter: MemoryMeter) -> None:
        self._sink = sink
        self._plan = plan
        self._meter = meter
        self._checkpoint_steps: set[int] = set()
        self._evaluation_steps: set[int] = set()
        self._pausing = False
        self._step_began = 0.0
        self._tokens = 0.0
        self._step_seconds: list[float] = []
        self._recent_seconds: deque[float] = deque(maxlen=_RECENT_STEPS)
        self._training_losses: list[float] = []
        self._evaluation_losses: list[float] = []
        self.total_steps = 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """The data are counted: now the length of the run is known."""
        self.total_steps = state.max_steps
        self._checkpoint_steps = spread(self._plan.checkpoints, state.max_steps)
        self._evaluation_steps = spread(self._plan.evaluations, state.max_steps)
        self._sink.progress(0, state.max_steps, 0.0, None)
        self._sink.stage(f"Training for {state.max_steps} steps")

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """A step's first batch is about to run."""
        self._step_began = time.perf_counter()

    def on_substep_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """A batch ended that is not its step's last."""
        self._cancel_if_told()

    def on_prediction_step(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """A batch of an evaluation ended."""
        self._cancel_if_told()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """The weights moved."""
        control.should_evaluate = state.global_step in self._evaluation_steps
        control.should_save = state.global_step in self._checkpoint_steps

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
        self._step_seconds.append(time.perf_counter() - self._step_began)
        self._recent_seconds.append(self._step_seconds[-1])
        self._training_losses.append(logs["loss"])
        self._check_finite(args, state, {"training loss": logs["loss"], "gradient": logs["grad_norm"]})
        self._tell_step(state, logs)
        directive = self._cancel_if_told()
        if directive == worker_service_pb2.DIRECTIVE_PAUSE and state.global_step < state.max_steps:
            self._pausing = True
            control.should_save = True

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
        self._evaluation_losses.append(loss)
        self._sink.metrics(state.global_step, {"eval_loss": loss})
        self._sink.evaluated(state.global_step, loss)
        first = self._evaluation_losses[0]
        self._sink.measured(job_pb2.JobFigures(first_evaluation_loss=first, last_evaluation_loss=loss))

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """A checkpoint is stored."""
        if self._pausing:
            raise Stopped(worker_service_pb2.DIRECTIVE_PAUSE)

    def losses(self, step: int) -> Losses:
        """What was measured up to now."""
        training, evaluation = self._training_losses, self._evaluation_losses
        return Losses(
            step=step,
            total_steps=self.total_steps,
            first_training=training[0] if training else None,
            last_training=training[-1] if training else None,
            first_evaluation=evaluation[0] if evaluation else None,
            last_evaluation=evaluation[-1] if evaluation else None,
        )

    def figures(self) -> job_pb2.JobFigures:
        """What the whole run measured; evaluations and saving count in none of the rates."""
        return job_pb2.JobFigures(
            peak_memory_bytes=self._meter.peak(),
            step_seconds=statistics.median(self._step_seconds),
            tokens_per_second=self._tokens / sum(self._step_seconds),
        )

    def _tell_step(self, state: TrainerState, logs: dict[str, float]) -> None:
        step, seconds = state.global_step, self._step_seconds[-1]
        tokens, self._tokens = logs["num_tokens"] - self._tokens, logs["num_tokens"]
        values = {
            "train_loss": logs["loss"],
            "learning_rate": logs["learning_rate"],
            "gradient_norm": logs["grad_norm"],
            "tokens_per_second": tokens / seconds,
            "memory_bytes": float(self._meter.now()),
            "epoch": logs["epoch"],
        }
        self._sink.metrics(step, values)
        remaining_s = statistics.median(self._recent_seconds) * (state.max_steps - step)
        self._sink.progress(step, state.max_steps, logs["epoch"], remaining_s)

    def _check_finite(self, args: TrainingArguments, state: TrainerState, values: dict[str, float]) -> None:
        for what, value in values.items():
            if not math.isfinite(value):
                raise not_finite(what, value, state.global_step, args.learning_rate)

    def _cancel_if_told(self) -> worker_service_pb2.Directive:
        directive = self._sink.directive()
        if directive == worker_service_pb2.DIRECTIVE_CANCEL:
            raise Stopped(directive)
        return directive
