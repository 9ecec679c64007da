"""How long gradients and weights are, group by group: √ of the sum of squares.

Gradients are measured as they come out of the backward pass, before anything is clipped. How often depends on what it costs: see
`steps_between`.
"""

import math
from collections.abc import Sequence

import torch

from workers.training.layer_groups import group_names

# Of what a step takes.
SHARE = 0.01
# No curve needs more points than this, whatever they cost: a job of a million steps would else store gigabytes.
MOST_POINTS = 2000
# Arithmetic that a device does while it reads one number from its memory, rounded up: about 100 GFLOP/s over 10 GB/s on a CPU,
# 1,000 TFLOP/s over 3.3 TB/s on a GPU.
_OPERATIONS_A_READ = {"cpu": 50.0}
_OPERATIONS_A_READ_OF_A_GPU = 1200.0
# Arithmetic that a device does in the time that one more tensor takes to be handed over: some microseconds.
_OPERATIONS_A_TENSOR = {"cpu": 500_000.0}
_OPERATIONS_A_TENSOR_OF_A_GPU = 1e9
# How often a step hands over each of a model's tensors at the least, forwards, backwards and in the optimiser.
_HANDOVERS_A_STEP = 40


def steps_between(trained: Sequence[torch.Tensor], model: Sequence[torch.Tensor], tokens_a_step: float, total_steps: int) -> int:
    """Every how many steps norms cost less than SHARE of the run, by counting what is read, computed and handed over.

    `trained` are those of the tensors of `model` that move. A step takes at least 2 operations a weight and token forwards and as
    many backwards; `tokens_a_step` is what the first step had. Counted and not timed, so that a resumed run measures at the same
    steps.
    """
    if not trained:
        return 1
    kind = trained[0].device.type
    handover = _OPERATIONS_A_TENSOR.get(kind, _OPERATIONS_A_TENSOR_OF_A_GPU)
    reads = 2.0 * _size(trained) * _OPERATIONS_A_READ.get(kind, _OPERATIONS_A_READ_OF_A_GPU)
    norms = reads + 2.0 * len(trained) * handover
    step = 4.0 * _size(model) * max(1.0, tokens_a_step) + _HANDOVERS_A_STEP * len(model) * handover
    return max(1, math.ceil(norms / (SHARE * step)), math.ceil(total_steps / MOST_POINTS))


def _size(tensors: Sequence[torch.Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


class GroupNorms:
    """The norms of a model's trained parameters, given by name."""

    def __init__(self, parameters: dict[str, torch.Tensor]) -> None:
        self._parameters = parameters
        self._groups = group_names(parameters)
        # Read when the step's loss is: until then nobody waits for the device.
        self._gradients: torch.Tensor | None = None
        self._with_gradient: list[str] = []

    @property
    def parameters(self) -> list[torch.Tensor]:
        """What is measured."""
        return list(self._parameters.values())

    def take_gradients(self) -> None:
        """Measure the gradients as they are now."""
        # A gradient that is spread over several devices has no norm here.
        found = {name: one.grad for name, one in self._parameters.items() if type(one.grad) is torch.Tensor}
        self._with_gradient = list(found)
        self._gradients = _norms(list(found.values())) if found else None

    def values(self) -> dict[str, float]:
        """The gradients that were taken last, once, and the weights as they are now, by the names of their series."""
        values: dict[str, float] = {}
        if self._gradients is not None:
            values |= self._by_group("gradient_norm", self._with_gradient, self._gradients)
            self._gradients = None
        whole = {name: one.detach() for name, one in self._parameters.items() if _is_whole(one)}
        if whole:
            values |= self._by_group("weight_norm", list(whole), _norms(list(whole.values())))
        return values

    def _by_group(self, series: str, names: list[str], norms: torch.Tensor) -> dict[str, float]:
        squares: dict[str, list[float]] = {}
        for name, norm in zip(names, norms.tolist(), strict=True):
            squares.setdefault(self._groups[name], []).append(norm * norm)
        return {f"{series}/{group}": math.sqrt(math.fsum(parts)) for group, parts in squares.items()}


def _is_whole(parameter: torch.Tensor) -> bool:
    return type(parameter.data) is torch.Tensor and parameter.is_floating_point() and parameter.numel() > 0


@torch.no_grad()
def _norms(tensors: list[torch.Tensor]) -> torch.Tensor:
    device = tensors[0].device
    norms = torch._foreach_norm(tensors, 2, dtype=torch.float32)  # as clip_grad_norm_ does
    return torch.stack([norm.to(device) for norm in norms])
