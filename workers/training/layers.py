"""What is seen of a model's layers while it is trained."""

from typing import Any

from tunesmith.job.v1 import histogram_pb2

from workers.training.histograms import histograms
from workers.training.norms import GroupNorms, steps_between
from workers.training.training_state import trained


class LayerHistory:
    """Norms by group at a cadence that costs next to nothing, and histograms when they are asked for."""

    def __init__(self, trainer: Any) -> None:
        self._parameters = trained(trainer)
        self._norms = GroupNorms(self._parameters)
        self._trainer = trainer
        # Every how many steps norms are taken: an attempt takes it over from the one before. None until the first step is done.
        self.steps_between: int | None = None

    def before_clipping(self, step: int) -> None:
        """The gradients of a step are there."""
        if self._is_due(step):
            self._norms.take_gradients()

    def norms(self, step: int, total_steps: int, tokens: float) -> dict[str, float]:
        """Points of a step that had so many tokens, by the names of their series; none at most steps of a large model."""
        if self.steps_between is None:
            model = list(self._trainer.model.parameters())
            self.steps_between = steps_between(self._norms.parameters, model, tokens, total_steps)
        return self._norms.values() if self._is_due(step) else {}

    def histograms(self, step: int) -> list[histogram_pb2.WeightHistogram]:
        """The trained weights as they are after a step."""
        return histograms(self._parameters, step)

    def _is_due(self, step: int) -> bool:
        if self.steps_between is None or step in (1, self._trainer.state.max_steps):
            return True
        return step % self.steps_between == 0
