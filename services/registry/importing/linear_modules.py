"""Which layers of a model can get an adapter, told from the names and shapes of its tensors."""

import re
from collections.abc import Iterable

from services.registry.importing.safetensors_header import Tensor

_WEIGHT = ".weight"
# Lookups, not products: no adapter of PEFT's linear kind fits them. GPT-2 calls its two wte and wpe, T5 its first `shared`.
_LOOKUPS = re.compile(r"embed|^(wte|wpe|shared|relative_attention_bias)$")
# PEFT leaves the output layer alone, and so does `all-linear`.
_HEADS = ("lm_head", "score", "classifier", "qa_outputs")
# Routers and experts are fused into one parameter when transformers loads them, so there is no such layer to name.
_MIXTURE = re.compile(r"\.experts\.|\.(router|gate)\.weight$")
_NUMBERED_LAYER = re.compile(r"\.\d+\.")


def linear_modules(tensors: Iterable[Tensor], vocabulary_size: int) -> list[str]:
    """The last names of the linear layers, sorted: `down_proj`, `q_proj`. GPT-2's Conv1D is one too."""
    return sorted({_leaf(tensor) for tensor in tensors if _is_linear(tensor, vocabulary_size)})


def _is_linear(tensor: Tensor, vocabulary_size: int) -> bool:
    if not tensor.name.endswith(_WEIGHT) or len(tensor.shape) != 2 or _MIXTURE.search(tensor.name):
        return False
    leaf = _leaf(tensor)
    if _LOOKUPS.search(leaf) or leaf in _HEADS:
        return False
    # Outside the numbered layers, what is as long as the vocabulary is an embedding or a head by whatever name.
    return _NUMBERED_LAYER.search(tensor.name) is not None or tensor.shape[0] != vocabulary_size


def _leaf(tensor: Tensor) -> str:
    return tensor.name.removesuffix(_WEIGHT).rpartition(".")[2]
