"""What is alive in each phase of a run; the largest phase is the peak."""

from dataclasses import dataclass
from functools import cached_property

from services.preflight.estimate.activations import Activations, activations_of
from services.preflight.estimate.asked import asked_passing_bytes, compared_bytes
from services.preflight.estimate.logits import Logits, logits_of
from services.preflight.estimate.sharding import Share, share_of
from services.preflight.estimate.state import State, state_of
from services.preflight.estimate.workload import Workload

COMPONENTS = ("weights", "adapters", "gradients", "optimizer", "activations", "logits", "overhead")
PHASES = ("load", "forward", "backward", "optimizer_step", "evaluation")

Parts = dict[str, float]


@dataclass(frozen=True)
class Phases:
    """Bytes of one device by phase and component."""

    workload: Workload

    @cached_property
    def whole(self) -> State:
        """The state before it is split."""
        return state_of(self.workload)

    @cached_property
    def share(self) -> Share:
        """One device's part of it."""
        return share_of(self.workload, self.whole)

    @cached_property
    def activations(self) -> Activations:
        """Of one batch."""
        return activations_of(self.workload)

    @cached_property
    def logits(self) -> Logits:
        """Of one batch."""
        return logits_of(self.workload)

    @cached_property
    def parts(self) -> dict[str, Parts]:
        """Each phase, overhead left out but for what splitting takes."""
        made = {
            "load": self._load(),
            "forward": self._forward(),
            "backward": self._backward(),
            "optimizer_step": self._optimizer_step(),
        }
        if self._evaluates:
            made["evaluation"] = self._evaluation()
        return made

    @cached_property
    def steady(self) -> Parts:
        """Between two steps."""
        keeps = self.workload.execution.keeps_gradients
        gradients = self.share.state.gradients if keeps else 0.0
        return self._held(gradients=gradients, logits=self.logits.between_steps)

    @property
    def _evaluates(self) -> bool:
        configuration = self.workload.configuration
        return configuration.datasets.HasField("validation_file_id") and configuration.schedule.evaluations > 0

    def _load(self) -> Parts:
        return self._held(optimizer=0.0)

    def _forward(self) -> Parts:
        # Later batches of a step find the gradients of the earlier ones.
        gradients = self.share.state.gradients if self.workload.accumulation > 1 else 0.0
        activations = self.activations.kept + self._autocast_copies + asked_passing_bytes(self.workload)
        return self._held(gradients=gradients, activations=activations, logits=self._at_the_loss(self.logits.forward))

    def _backward(self) -> Parts:
        """The largest of four moments: at the loss, in the last layer, in the first, and at the embedding."""
        workload, made, state = self.workload, self.activations, self.share.state
        earlier = state.gradients if workload.accumulation > 1 else 0.0
        head = self._head_gradients
        share = state.gradients / max(1.0, self.whole.gradients)
        at_loss = self._held(gradients=earlier, activations=made.kept, logits=self._at_the_loss(self.logits.backward))
        one = made.layer_gradients * share
        at_last = self._held(
            gradients=max(earlier + one, min(state.gradients, head * share + one)),
            activations=made.kept + made.last_layer,
            logits=self.logits.left,
        )
        rest = max(0.0, made.kept - (workload.architecture.layer_count - 1) * made.per_layer)
        embedding = self._embedding_gradients * share
        tied = workload.architecture.tied
        at_first = self._held(
            gradients=state.gradients + (one if earlier else 0.0) - (0.0 if earlier or tied else embedding),
            activations=rest + made.first_layer,
            logits=self.logits.left,
        )
        # A tied weight has two gradients, and their sum is a third.
        at_embedding = self._held(
            gradients=state.gradients + (embedding if earlier else 0.0) + (2 * embedding if tied else 0.0),
            activations=workload.tokens * workload.architecture.hidden_size * workload.held_width,
            logits=self.logits.left,
        )
        return max((at_loss, at_last, at_first, at_embedding), key=total)

    def _at_the_loss(self, logits: float) -> float:
        """The likelihood of the rows is computed before a teacher is compared with."""
        return max(logits, compared_bytes(self.workload))

    def _optimizer_step(self) -> Parts:
        state = self.share.state
        optimizer = state.optimizer + state.optimizer_temporary
        return self._held(gradients=state.gradients, optimizer=optimizer, logits=self.logits.left)

    def _evaluation(self) -> Parts:
        return self._held(activations=self.activations.passing, logits=self.logits.passing)

    @property
    def _head_gradients(self) -> float:
        return self.workload.architecture.head_parameters * self.workload.held_width if self.workload.full else 0.0

    @property
    def _embedding_gradients(self) -> float:
        return self.workload.architecture.embedding_parameters * self.workload.held_width if self.workload.full else 0.0

    @property
    def _autocast_copies(self) -> float:
        """With checkpointing nothing keeps the 16-bit copies of weights but autocast itself, to the end of the forward pass."""
        workload = self.workload
        if not (workload.full and workload.execution.checkpointing and workload.held_width > workload.compute_width):
            return 0.0
        return workload.architecture.layer_linear_parameters * workload.compute_width

    def _held(
        self,
        *,
        gradients: float = 0.0,
        optimizer: float | None = None,
        activations: float = 0.0,
        logits: float = 0.0,
    ) -> Parts:
        state = self.share.state
        return {
            "weights": state.weights,
            "adapters": state.adapters,
            "gradients": gradients,
            "optimizer": state.optimizer if optimizer is None else optimizer,
            "activations": activations,
            "logits": logits,
            "overhead": self.share.communication,
        }


def total(parts: Parts) -> float:
    """All components of a phase."""
    return sum(parts.values())
