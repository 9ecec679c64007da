"""The header of a safetensors file, read and checked without reading the weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from services.registry.importing.refused import Refused

# The format's own limit.
MAX_HEADER_BYTES = 100_000_000
_LENGTH_BYTES = 8
_METADATA = "__metadata__"

BITS: Mapping[str, int] = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """One tensor as its file describes it."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def element_count(self) -> int:
        return math.prod(self.shape)


def read_header(path: Path) -> list[Tensor]:
    """The tensors of a file. Raises Refused unless every byte of it belongs to exactly one of them."""
    header, data_bytes = _read(path)
    spans = [_check(path.name, name, entry) for name, entry in header.items() if name != _METADATA]
    end = 0
    for begin, next_end, name in sorted((begin, finish, tensor.name) for tensor, begin, finish in spans):
        if begin != end:
            raise _broken(path.name, f"tensor {name!r} overlaps another, or leaves a gap before it")
        end = next_end
    if end != data_bytes:
        raise _broken(path.name, f"its tensors end at byte {end} of {data_bytes}")
    return [tensor for tensor, _, _ in spans]


def _read(path: Path) -> tuple[dict[str, Any], int]:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_LENGTH_BYTES)
        length = int.from_bytes(start, "little")
        if len(start) < _LENGTH_BYTES or length > MAX_HEADER_BYTES or length > size - _LENGTH_BYTES:
            raise Refused(_not_safetensors(path.name, start))
        header = file.read(length)
    try:
        content = orjson.loads(header)
    except orjson.JSONDecodeError as error:
        raise Refused(_not_safetensors(path.name, start)) from error
    if not isinstance(content, dict):
        raise Refused(_not_safetensors(path.name, start))
    return content, size - _LENGTH_BYTES - length


def _check(file: str, name: str, entry: Any) -> tuple[Tensor, int, int]:
    """One entry of the header: the tensor and the bytes it takes."""
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [int(begin), int(end)]} if dtype in BITS:
            pass
        case _:
            raise _broken(file, f"tensor {name[:80]!r} has no known dtype, shape and data_offsets")
    if not all(type(size) is int and size >= 0 for size in shape):
        raise _broken(file, f"tensor {name[:80]!r} has a shape of something else than sizes")
    tensor = Tensor(name, dtype, tuple(shape))
    if not 0 <= begin <= end or 8 * (end - begin) != tensor.element_count * BITS[dtype]:
        raise _broken(file, f"tensor {name[:80]!r} does not fill the bytes it claims")
    return tensor, begin, end


def _broken(file: str, reason: str) -> Refused:
    return Refused(f"{file} is a broken safetensors file ({reason}); copy or save it again")


def _not_safetensors(file: str, start: bytes) -> str:
    if start[:1] == b"\x80" or start[:2] == b"PK":
        return f"{file} is a pickle under another name, and a pickle is never loaded; save the model again with save_pretrained"
    return f"{file} is not a safetensors file; copy or save it again"
