"""Headers of real safetensors files, and of files that only claim to be."""

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from services.registry.importing.refused import Refused
from services.registry.importing.safetensors_header import BITS, MAX_HEADER_BYTES, Tensor, read_header


def written(folder: Path, data: bytes) -> Path:
    path = folder / "model.safetensors"
    path.write_bytes(data)
    return path


def of(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(begin: int, end: int, shape: list[object] | None = None, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": [(end - begin) // 4] if shape is None else shape, "data_offsets": [begin, end]}


def test_a_real_file_is_read(tmp_path: Path) -> None:
    arrays = {"a": np.ones((2, 3), np.float32), "empty": np.ones((0, 4), np.int64), "scalar": np.array(1, np.float16)}
    tensors = read_header(written(tmp_path, save(arrays, metadata={"format": "pt"})))
    assert sorted(tensors, key=lambda tensor: tensor.name) == [
        Tensor("a", "F32", (2, 3)),
        Tensor("empty", "I64", (0, 4)),
        Tensor("scalar", "F16", ()),
    ]
    assert [tensor.element_count for tensor in sorted(tensors, key=lambda tensor: tensor.name)] == [6, 0, 1]


def test_elements_smaller_than_a_byte_are_counted(tmp_path: Path) -> None:
    assert len(BITS) == 22
    path = written(tmp_path, of({"a": entry(0, 3, [6], "F4"), "b": entry(3, 6, [4], "F6_E2M3")}, b"\0" * 6))
    assert sum(tensor.element_count for tensor in read_header(path)) == 10


ENTRY = b'"a":{"dtype":"U8","shape":[1],"data_offsets":['
TWICE = b"{" + ENTRY + b"0,1]}," + ENTRY + b"1,2]}}"

BAD = {
    "empty": (b"", "is not a safetensors file"),
    "text": (b"hello world, hello", "is not a safetensors file"),
    "pickle": (pickle.dumps({"a": 1}, 4), "a pickle under another name"),
    "torch": (b"PK\x03\x04" + b"\0" * 40, "a pickle under another name"),
    "a header longer than the file": (of({"a": entry(0, 4)}, b"\0" * 4)[:20], "is not a safetensors file"),
    "a header over the limit": ((MAX_HEADER_BYTES + 1).to_bytes(8, "little") + b"{}", "is not a safetensors file"),
    "no JSON": (of(b"{oops"), "is not a safetensors file"),
    "brackets": (of(b"[" * 100_000), "is not a safetensors file"),
    "a list": (of([]), "is not a safetensors file"),
    "an unknown type": (of({"a": entry(0, 4, [1], "PYOBJECT")}, b"\0" * 4), "no known dtype"),
    "no offsets": (of({"a": {"dtype": "F32", "shape": [1]}}, b"\0" * 4), "no known dtype, shape and data_offsets"),
    "an entry that is a number": (of({"a": 7}), "no known dtype"),
    "a negative size": (of({"a": entry(0, 4, [-1, -1])}, b"\0" * 4), "shape of something else than sizes"),
    "a size that is text": (of({"a": entry(0, 4, ["1"])}, b"\0" * 4), "shape of something else than sizes"),
    "more elements than bytes": (of({"a": entry(0, 4, [2])}, b"\0" * 4), "does not fill the bytes it claims"),
    "offsets that run backwards": (of({"a": entry(4, 0, [1])}, b"\0" * 4), "does not fill the bytes it claims"),
    "offsets past the end": (of({"a": entry(0, 8)}, b"\0" * 4), "end at byte 8 of 4"),
    "two that overlap": (of({"a": entry(0, 8), "b": entry(4, 12)}, b"\0" * 12), "'b' overlaps another"),
    "a gap": (of({"a": entry(0, 4), "b": entry(8, 12)}, b"\0" * 12), "leaves a gap"),
    "bytes behind": (of({"a": entry(0, 4)}, b"\0" * 12), "end at byte 4 of 12"),
    "a name twice": (of(TWICE, b"ab"), "leaves a gap"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_anything_else_is_refused(tmp_path: Path, case: str) -> None:
    data, expected = BAD[case]
    with pytest.raises(Refused, match=r"model\.safetensors") as refused:
        read_header(written(tmp_path, data))
    assert expected in str(refused.value)


def test_a_zip_named_safetensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"x")
    with pytest.raises(Refused, match="pickle"):
        read_header(path)
