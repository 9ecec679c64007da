"""How many parameters a model has and what they are stored in, told from its tensors' shapes."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from services.registry.importing.architecture import tied_embeddings
from services.registry.importing.safetensors_header import Tensor

# What a module stores beside its parameters: rotary frequencies, positions, running statistics. Masks are found by their shape.
_BUFFERS = re.compile(r"(^|\.)(inv_freq|position_ids|masked_bias|running_mean|running_var|num_batches_tracked)$")
_FLOATING = ("F", "BF")
_OUTPUT_WEIGHT = "lm_head.weight"
_INPUT_EMBEDDING = re.compile(r"embed|wte|shared")


def parameter_count(tensors: Sequence[Tensor], config: Mapping[str, Any]) -> int:
    """Exact number of parameters, tied ones once."""
    return sum(tensor.element_count for tensor in _parameters(tensors, config))


def main_dtype(tensors: Sequence[Tensor], config: Mapping[str, Any]) -> str:
    """What most parameters are stored in; empty for a model without any."""
    counts: Counter[str] = Counter()
    for tensor in _parameters(tensors, config):
        counts[tensor.dtype] += tensor.element_count
    return counts.most_common(1)[0][0] if counts else ""


def _parameters(tensors: Sequence[Tensor], config: Mapping[str, Any]) -> list[Tensor]:
    tied = tied_embeddings(config)
    return [tensor for tensor in tensors if _is_parameter(tensor) and not (tied and _repeats_embedding(tensor, tensors))]


def _is_parameter(tensor: Tensor) -> bool:
    # GPT-2's hub files hold its causal masks, as biases of four dimensions.
    mask = tensor.name.endswith(".bias") and len(tensor.shape) > 2
    return tensor.dtype.startswith(_FLOATING) and not mask and not _BUFFERS.search(tensor.name)


def _repeats_embedding(tensor: Tensor, tensors: Sequence[Tensor]) -> bool:
    """Whether it is an output layer that an older writer stored although it is the input embedding."""
    if not tensor.name.endswith(_OUTPUT_WEIGHT):
        return False
    return any(other.shape == tensor.shape and _INPUT_EMBEDDING.search(other.name) for other in tensors)
