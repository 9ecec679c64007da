"""What is seen of layers whose weights are split: nothing. A part's norm says little, and gathering all of them costs a step."""

from tunesmith.job.v1 import histogram_pb2

from workers.training.layers import LayerHistory


class SplitLayers(LayerHistory):
    """Takes no norms and no histograms."""

    def __init__(self) -> None:
        self.steps_between: int | None = None

    def before_clipping(self, step: int) -> None:
        """Nothing is taken."""

    def norms(self, step: int, total_steps: int, tokens: float) -> dict[str, float]:
        """No points."""
        return {}

    def histograms(self, step: int) -> list[histogram_pb2.WeightHistogram]:
        """None."""
        return []
