"""Pictures of a few bytes, made without a library, and archives of them."""

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping


def png(width: int = 1, height: int = 1, shade: int = 0) -> bytes:
    """A grey picture."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress((b"\x00" + bytes([shade]) * width) * height)),
        (b"IEND", b""),
    ]
    packed = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def uri(data: bytes) -> str:
    """As it stands in a row."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


DOT = uri(png())


def archive(files: Mapping[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of files by their names."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return packed.getvalue()
