"""The 1,797 handwritten digits of scikit-learn, 8 × 8 pixels each, as rows with pictures."""

import base64
import struct
import zlib
from typing import Any

from sklearn.datasets import load_digits

SIDE = 8
# What a pixel of 0 to 16 is multiplied with.
_BRIGHTNESS = 15


def digit_rows() -> list[dict[str, Any]]:
    """All of them, in their order: pictures of neighbours are of different hands and digits."""
    digits = load_digits()
    pictures = digits.data.astype(int) * _BRIGHTNESS
    return [
        {"image": picture(SIDE, SIDE, pixels.tolist()), "label": int(digit)}
        for pixels, digit in zip(pictures, digits.target, strict=True)
    ]


def picture(width: int, height: int, pixels: list[int]) -> str:
    """Grey pixels as a data URI of a PNG."""
    return f"data:image/png;base64,{base64.b64encode(png(width, height, pixels)).decode()}"


def png(width: int, height: int, pixels: list[int]) -> bytes:
    """Grey pixels as a PNG, without a library."""
    lines = b"".join(b"\x00" + bytes(pixels[width * row : width * (row + 1)]) for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)
