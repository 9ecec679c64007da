"""Tensors of a safetensors file, a block of rows at a time, as float32; and how a new file of them begins."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import orjson

from services.registry.importing.refused import Refused
from services.registry.importing.safetensors_header import Tensor, read_header

_LENGTH_BYTES = 8
_BYTES = 4
_BLOCK_ELEMENTS = 1024 * 1024
_BF16 = "BF16"
_STORED: Mapping[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), _BF16: np.dtype("<u2")}

Floats = npt.NDArray[np.float32]


class TensorFile:
    """A file that is open for reading."""

    def __init__(self, path: Path) -> None:
        """Raises Refused for a file that is damaged."""
        self.tensors = {tensor.name: tensor for tensor in read_header(path)}
        self._name = path.name
        self._file = path.open("rb")
        length = int.from_bytes(self._file.read(_LENGTH_BYTES), "little")
        entries = orjson.loads(self._file.read(length))
        start = _LENGTH_BYTES + length
        self._begins = {name: start + entries[name]["data_offsets"][0] for name in self.tensors}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def rows(self, tensor: Tensor, begin: int, end: int) -> Floats:
        """Rows of a tensor, with what is below each row in one dimension."""
        dtype = _STORED[tensor.dtype]
        width = tensor.element_count // tensor.shape[0]
        self._file.seek(self._begins[tensor.name] + begin * width * dtype.itemsize)
        size = (end - begin) * width * dtype.itemsize
        raw = self._file.read(size)
        if len(raw) != size:
            raise Refused(f"{self._name} ends in the middle of {tensor.name}; upload the adapter again")
        return _as_float32(np.frombuffer(raw, dtype), tensor.dtype).reshape(end - begin, width)


def header_of(shapes: Mapping[str, Sequence[int]]) -> bytes:
    """The beginning of a file of float32 tensors in this order; their bytes follow."""
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + _BYTES * math.prod(shape)
        entries[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}
    header = orjson.dumps(entries)
    # The tensors begin at a multiple of eight, so that readers may map them into memory.
    header += b" " * (-len(header) % _LENGTH_BYTES)
    return len(header).to_bytes(_LENGTH_BYTES, "little") + header


def blocks(row_count: int, width: int) -> Iterator[tuple[int, int]]:
    """Where to cut rows of so many elements, so that a block has about a million."""
    step = max(1, _BLOCK_ELEMENTS // max(1, width))
    for begin in range(0, row_count, step):
        yield begin, min(row_count, begin + step)


def _as_float32(stored: npt.NDArray[np.generic], dtype: str) -> Floats:
    if dtype == _BF16:
        # The upper half of a float32.
        return (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return stored.astype(np.float32, copy=False)
