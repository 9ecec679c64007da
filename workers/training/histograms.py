"""How the trained weights of each layer are distributed."""

import math
from collections.abc import Iterable, Mapping

import torch
from tunesmith.job.v1 import histogram_pb2

BINS = 64
# Larger layers are counted by a sample, evenly spaced so that it is the same each time.
SAMPLE = 65_536
# Layers that are looked at. A larger model shows an even choice of its layers, so that what is sent and stored stays small.
MOST_LAYERS = 1000
LONGEST_NAME = 256

_ADAPTER_PREFIX = "base_model.model."


def histograms(parameters: Mapping[str, torch.Tensor], step: int) -> list[histogram_pb2.WeightHistogram]:
    """One histogram for each layer whose weights are numbers; `parameters` are those that are trained, by name."""
    chosen = _evenly([name for name, one in parameters.items() if one.is_floating_point() and one.numel()])
    found = (_histogram(layer_name(name), step, parameters[name].detach()) for name in chosen)
    return [one for one in found if one is not None]


def layer_name(parameter: str) -> str:
    """The module that a parameter belongs to; with the parameter's own name if that is not just `weight`."""
    parts = [part for part in parameter.removeprefix(_ADAPTER_PREFIX).split(".") if part != "default"]
    if len(parts) > 1 and parts[-1] == "weight":
        parts.pop()
    # The end of a name tells more than its beginning.
    return ".".join(parts)[-LONGEST_NAME:]


def _evenly(names: list[str]) -> Iterable[str]:
    stride = math.ceil(len(names) / MOST_LAYERS)
    return names[:: max(1, stride)]


@torch.no_grad()
def _histogram(layer: str, step: int, weights: torch.Tensor) -> histogram_pb2.WeightHistogram | None:
    flat = weights.reshape(-1) if weights.is_contiguous() else weights.contiguous().reshape(-1)
    least, greatest = (float(value) for value in torch.aminmax(flat))
    norm = float(torch.linalg.vector_norm(flat, dtype=torch.float32))
    if not math.isfinite(least) or not math.isfinite(greatest) or not math.isfinite(norm):
        return None
    sample = flat[:: math.ceil(flat.numel() / SAMPLE)].to(torch.float64)
    # Equal weights are one bin of some width.
    width = greatest - least or 1.0
    counts = torch.bincount(((sample - least) * (BINS / width)).long().clamp_(0, BINS - 1), minlength=BINS)
    return histogram_pb2.WeightHistogram(
        layer=layer,
        step=step,
        minimum=least,
        maximum=least + width,
        counts=counts.tolist(),
        norm=norm,
        mean=float(sample.mean()),
        standard_deviation=float(sample.std(correction=0)),
    )
