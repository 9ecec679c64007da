"""adapter_model.safetensors by its header: which layer each tensor is of, and whether that is what the configuration says."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tunesmith.registry.v1 import adapter_pb2

from services.registry.adapters.configuration import AdapterConfiguration, endings
from services.registry.adapters.files import WEIGHTS
from services.registry.importing.refused import Refused
from services.registry.importing.safetensors_header import Tensor

PREFIX = "base_model.model."
PROMPT = "prompt_embeddings"
_FIRST_FACTORS = ("lora_A", "lora_embedding_A")
DTYPES = ("F32", "F16", "BF16")
# Experts that are adapted one by one have tens of thousands.
_MAX_TENSORS = 200_000
# A path, then the part that it is of PEFT's layer there.
_PART = re.compile(r"(?P<path>.+)\.(?P<part>lora_embedding_[AB]|lora_[AB]\.weight|lora_B\.bias|lora_magnitude_vector(\.weight)?)")
_DEFECT = "save the adapter again with save_pretrained"


@dataclass(frozen=True)
class Factors:
    """A layer's two factors."""

    # (rank, in) of a product, (rank, in, …) of a convolution, (rank, rows) of an embedding.
    a: Tensor
    # (out, rank), (out, rank, 1, …), (columns, rank).
    b: Tensor
    embedding: bool

    @property
    def rank(self) -> int:
        return self.a.shape[0]


@dataclass(frozen=True)
class AdapterWeights:
    """What is in the file."""

    # By the layer's path in the base model.
    factors: Mapping[str, Factors] = field(default_factory=dict)
    # What stands beside factors: magnitudes, biases, layers that were trained whole.
    others: Sequence[Tensor] = ()
    parameter_count: int = 0

    @property
    def layer_names(self) -> list[str]:
        """The last parts of the layers' paths, sorted."""
        return sorted({path.rpartition(".")[2] for path in self.factors})


def sort(tensors: Sequence[Tensor], configuration: AdapterConfiguration) -> AdapterWeights:
    """The tensors by layer. Raises Refused for one that the configuration does not account for."""
    if not 0 < len(tensors) <= _MAX_TENSORS:
        raise _wrong(f"holds {len(tensors)} tensors, which no adapter does; {_DEFECT}")
    for tensor in tensors:
        if tensor.dtype not in DTYPES:
            raise _wrong(f"stores {tensor.name[:120]} as {tensor.dtype}; convert it to one of {', '.join(DTYPES)}")
        if not tensor.element_count:
            raise _wrong(f"has nothing in {tensor.name[:120]}: a shard of it was saved instead; gather the weights and {_DEFECT}")
    count = sum(tensor.element_count for tensor in tensors)
    if configuration.type == adapter_pb2.ADAPTER_TYPE_PROMPT:
        _check_prompt(tensors, configuration)
        return AdapterWeights(others=tensors, parameter_count=count)
    parts, rest = _parts(tensors)
    factors = {path: _factors(path, parts[path], configuration) for path in sorted(parts)}
    if not factors:
        raise _wrong(f"has no lora_A and lora_B of any layer; {_DEFECT}")
    _check_targets(factors, configuration)
    _check_rest(rest, configuration)
    paired = {tensor.name for pair in factors.values() for tensor in (pair.a, pair.b)}
    return AdapterWeights(factors, [tensor for tensor in tensors if tensor.name not in paired], count)


def ranks(tensors: Iterable[Tensor]) -> dict[str, int]:
    """Width of each layer's factors, by the layer's path, of a file that is known to be sound."""
    parts, _ = _parts(tensors)
    return {
        path: tensor.shape[0] for path, held in parts.items() for part, tensor in held.items() if part.startswith(_FIRST_FACTORS)
    }


def _check_prompt(tensors: Sequence[Tensor], configuration: AdapterConfiguration) -> None:
    shape = (configuration.virtual_tokens * configuration.submodules, configuration.token_size)
    if configuration.prefix:
        # Keys and values of every layer.
        shape = (configuration.virtual_tokens, 2 * (configuration.layers or 0) * configuration.token_size)
    if [tensor.name for tensor in tensors] != [PROMPT]:
        raise _wrong(f"must hold {PROMPT} and nothing else; {_DEFECT}")
    if tensors[0].shape != shape:
        raise _wrong(f"has {PROMPT} of shape {_shown(tensors[0].shape)}, and the configuration says {_shown(shape)}; {_DEFECT}")


def _parts(tensors: Iterable[Tensor]) -> tuple[dict[str, dict[str, Tensor]], list[Tensor]]:
    parts: dict[str, dict[str, Tensor]] = {}
    rest: list[Tensor] = []
    for tensor in tensors:
        if not tensor.name.startswith(PREFIX):
            raise _wrong(f"has {tensor.name[:120]!r}; PEFT's names begin with {PREFIX}; {_DEFECT}")
        found = _PART.fullmatch(tensor.name.removeprefix(PREFIX))
        if found is None:
            rest.append(tensor)
        else:
            parts.setdefault(found["path"], {})[found["part"]] = tensor
    return parts, rest


def _factors(path: str, parts: Mapping[str, Tensor], configuration: AdapterConfiguration) -> Factors:
    embedding = "lora_embedding_A" in parts
    names = ("lora_embedding_A", "lora_embedding_B") if embedding else ("lora_A.weight", "lora_B.weight")
    lost = next((name for name in names if name not in parts), None)
    if lost is not None:
        raise _wrong(f"has no {lost} of {path[:120]}, only {', '.join(sorted(parts))}; {_DEFECT}")
    a, b = (parts[name] for name in names)
    dimensions = {len(a.shape), len(b.shape)}
    if len(dimensions) != 1 or not (dimensions <= ({2} if embedding else {2, 3, 4, 5})):
        raise _wrong(f"has factors of {path[:120]} of shapes {_shown(a.shape)} and {_shown(b.shape)}, which are none; {_DEFECT}")
    rank = configuration.rank_of(path)
    if (a.shape[0], b.shape[1]) != (rank, rank):
        ranks = f"{a.shape[0]} and {b.shape[1]}"
        raise _wrong(f"has factors of {path[:120]} of rank {ranks}, and the configuration says {rank}; {_DEFECT}")
    _check_beside(path, parts, b.shape[0], configuration)
    return Factors(a, b, embedding)


def _check_beside(path: str, parts: Mapping[str, Tensor], out: int, configuration: AdapterConfiguration) -> None:
    magnitudes = [tensor for part, tensor in parts.items() if part.startswith("lora_magnitude_vector")]
    dora = configuration.type == adapter_pb2.ADAPTER_TYPE_DORA
    if len(magnitudes) != int(dora):
        raise _wrong(f"and use_dora contradict each other: {path[:120]} has {len(magnitudes)} magnitude vectors; {_DEFECT}")
    if ("lora_B.bias" in parts) != configuration.lora_bias:
        raise _wrong(f"and lora_bias contradict each other about {path[:120]}; {_DEFECT}")
    bias = parts.get("lora_B.bias")
    if bias is not None and bias.shape != (out,):
        raise _wrong(f"has a bias of {path[:120]} of shape {_shown(bias.shape)} for {out} outputs; {_DEFECT}")


def _check_targets(factors: Iterable[str], configuration: AdapterConfiguration) -> None:
    if configuration.targets is None:
        return
    idle = set(configuration.targets)
    for path in factors:
        named = [name for name in endings(path) if name in configuration.targets]
        if not named:
            raise _wrong(f"has factors of {path[:120]}, which target_modules does not name, so they would not act; {_DEFECT}")
        idle.difference_update(named)
    if idle:
        names = ", ".join(sorted(idle)[:5])
        raise _wrong(f"has no factors of {names}, which target_modules names; remove the name, or {_DEFECT}")


def _check_rest(rest: Iterable[Tensor], configuration: AdapterConfiguration) -> None:
    """Layers that were trained whole, and biases of layers: only those that the configuration announces."""
    for tensor in rest:
        path = tensor.name.removeprefix(PREFIX)
        whole = any(f".{name}." in f".{path}" for name in configuration.modules_to_save)
        if not whole and not (configuration.bias != "none" and path.endswith(".bias")):
            raise _wrong(f"has {tensor.name[:120]!r}, which neither LoRA nor modules_to_save accounts for; {_DEFECT}")


def _shown(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def _wrong(text: str) -> Refused:
    return Refused(f"{WEIGHTS} {text}")
