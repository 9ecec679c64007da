"""One adapter whose change of the weights is the weighted sum of others', exactly.

A layer's change is s·B·A, with s = alpha / rank. A sum of products is a product of longer factors:

    w₁·s₁·B₁·A₁ + w₂·s₂·B₂·A₂ = [w₁·s₁·B₁  w₂·s₂·B₂] · [A₁; A₂]

So A's are stacked, B's are scaled and put side by side, ranks add up, and with alpha = rank the new scale is 1. Refused: a sum of
the factors themselves, which is no sum of the products, and a truncated SVD, which is not exact.

All in float32, a block of rows at a time: memory does not grow with the adapters.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tunesmith.registry.v1 import base_model_pb2

from services.registry.adapters import weights
from services.registry.adapters.configuration import AdapterConfiguration
from services.registry.adapters.files import WEIGHTS
from services.registry.adapters.tensor_file import TensorFile, blocks, header_of
from services.registry.adapters.weights import PREFIX, Factors
from services.registry.importing.incoming_file import IncomingFile
from services.registry.importing.refused import Refused
from services.registry.importing.safetensors_header import Tensor


@dataclass(frozen=True)
class Term:
    """One adapter and its share."""

    name: str
    folder: Path
    configuration: AdapterConfiguration
    weight: float


@dataclass(frozen=True)
class _Share:
    """What a term adds to one layer."""

    file: TensorFile
    factors: Factors
    scale: float


def write_sum(terms: Sequence[Term], folder: Path) -> base_model_pb2.BaseModelFile:
    """Write the sum's tensors into a folder. Raises Refused, naming the adapter, for terms that can't be added up."""
    with ExitStack() as stack:
        layers: dict[str, list[_Share]] = {}
        for term in terms:
            file = stack.enter_context(TensorFile(term.folder / WEIGHTS))
            held = weights.sort(list(file.tensors.values()), term.configuration)
            if held.others:
                raise Refused(f"{term.name} changes more than low-rank factors ({held.others[0].name[:120]}), which has no sum")
            for path, factors in held.factors.items():
                share = _Share(file, factors, term.weight * term.configuration.scale_of(path))
                layers.setdefault(path, []).append(share)
                _refuse_other_shapes(term.name, path, layers[path][0].factors, factors)
        return _write(dict(sorted(layers.items())), folder)


def _write(layers: Mapping[str, Sequence[_Share]], folder: Path) -> base_model_pb2.BaseModelFile:
    shapes = {name: shape for path, shares in layers.items() for name, shape in _shapes(path, shares)}
    target = IncomingFile(folder, WEIGHTS)
    try:
        target.write(header_of(shapes))
        for shares in layers.values():
            for block in _stacked(shares):
                target.write(block)
            for block in _side_by_side(shares):
                target.write(block)
        return target.finish()
    finally:
        target.close()


def _shapes(path: str, shares: Sequence[_Share]) -> Iterator[tuple[str, tuple[int, ...]]]:
    rank = sum(share.factors.rank for share in shares)
    factors = shares[0].factors
    names = ("lora_embedding_A", "lora_embedding_B") if factors.embedding else ("lora_A.weight", "lora_B.weight")
    yield f"{PREFIX}{path}.{names[0]}", (rank, *factors.a.shape[1:])
    yield f"{PREFIX}{path}.{names[1]}", (factors.b.shape[0], rank, *factors.b.shape[2:])


def _stacked(shares: Sequence[_Share]) -> Iterator[bytes]:
    """The rows of every A, one after another."""
    for share in shares:
        tensor = share.factors.a
        for begin, end in blocks(tensor.shape[0], _width(tensor)):
            yield share.file.rows(tensor, begin, end).tobytes()


def _side_by_side(shares: Sequence[_Share]) -> Iterator[bytes]:
    """Each row of every B beside its like, scaled."""
    row_count = shares[0].factors.b.shape[0]
    for begin, end in blocks(row_count, sum(_width(share.factors.b) for share in shares)):
        scaled = [share.file.rows(share.factors.b, begin, end) * np.float32(share.scale) for share in shares]
        yield np.concatenate(scaled, axis=1).tobytes()


def _width(tensor: Tensor) -> int:
    return tensor.element_count // tensor.shape[0]


def _refuse_other_shapes(name: str, path: str, one: Factors, other: Factors) -> None:
    shapes = [(factors.embedding, factors.a.shape[1:], factors.b.shape[0], factors.b.shape[2:]) for factors in (one, other)]
    if shapes[0] != shapes[1]:
        raise Refused(f"{name} has factors of another shape than the others for {path[:120]}; compose adapters of one base model")
