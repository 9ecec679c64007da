"""Pictures in rows: what they may be, and their sizes from their first bytes. Nothing here decodes one, so no picture is opened
only to be told that it is none, or that it unpacks to gigabytes.
"""

import base64
import binascii
import re
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

# A camera's largest; as RGB it takes 120 MB.
MAX_PIXELS = 40_000_000
MAX_SIDE = 16_384

_URI = re.compile(r"data:(image/[a-z]{3,4});base64,")
_SHOWN_CHARACTERS = 40
_PNG, _JPEG, _GIF, _RIFF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", (b"GIF87a", b"GIF89a"), b"RIFF"
_JPEG_END, _JPEG_SCAN = b"\xff\xd9", 0xDA
# Markers of a JPEG that begin a frame and hold its size; the three in between are tables.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length behind them.
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xDA)})


class NoPicture(ValueError):
    """Why bytes are no picture that is trained on, in words that follow its name: `is cut off; upload it whole`."""


class Picture(NamedTuple):
    """What the first bytes of a picture say."""

    media_type: str
    width: int
    height: int


def data_uri(data: bytes) -> str:
    """A picture as it stands in a row. Raises NoPicture."""
    return f"data:{look(data).media_type};base64,{base64.b64encode(data).decode()}"


def bytes_of(uri: str) -> bytes:
    """The picture's file out of a row. Raises NoPicture."""
    match = _URI.match(uri)
    if match is None:
        shown = repr(uri if len(uri) <= _SHOWN_CHARACTERS else f"{uri[:_SHOWN_CHARACTERS]}…")
        raise NoPicture(
            f"is {shown} and must be a data URI, data:image/png;base64,… with the picture itself; nothing is fetched from "
            "elsewhere, so put the picture's bytes there, or upload a .zip of pictures"
        )
    if match[1] not in MEDIA_TYPES:
        raise NoPicture(f"is {match[1]}; use one of {', '.join(MEDIA_TYPES)}")
    try:
        data = base64.b64decode(uri[match.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoPicture("is not valid base64 behind data:…;base64,; encode the picture's bytes again") from error
    seen = look(data)
    if seen.media_type != match[1]:
        raise NoPicture(f"is named {match[1]} and holds {seen.media_type}; name it for what it is")
    return data


def look(data: bytes) -> Picture:
    """What a file is and how large. Raises NoPicture for anything else, and for one that is too large or cut off."""
    try:
        seen = next((read(data) for kind, read in _READERS.items() if data.startswith(kind)), None)
    except (struct.error, IndexError) as error:
        raise NoPicture("is cut off; upload it whole") from error
    if seen is None:
        raise NoPicture("is no PNG, JPEG, WebP or GIF; save it as one of them")
    if seen.width < 1 or seen.height < 1:
        raise NoPicture("has no pixels; leave it out")
    if max(seen.width, seen.height) > MAX_SIDE or seen.width * seen.height > MAX_PIXELS:
        raise NoPicture(
            f"has {seen.width} × {seen.height} pixels; at most {MAX_PIXELS:,} together and {MAX_SIDE:,} a side are read, "
            "so make it smaller: models see a few hundred a side"
        )
    return seen


def _png(data: bytes) -> Picture:
    if data[12:16] != b"IHDR":
        raise NoPicture("is a PNG without a header; save it again")
    width, height = struct.unpack_from(">II", data, 16)
    place, kind = len(_PNG), b""
    while kind != b"IEND":
        (length,) = struct.unpack_from(">I", data, place)
        kind = data[place + 4 : place + 8]
        place += length + 12
        if place > len(data):
            raise NoPicture("is cut off; upload it whole")
    return Picture("image/png", width, height)


def _jpeg(data: bytes) -> Picture:
    place = 2
    while True:
        if data[place] != 0xFF:
            raise NoPicture("is a damaged JPEG; save it again")
        marker = data[place + 1]
        if marker == 0xFF:
            # Markers may be padded.
            place += 1
        elif marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            break
        elif marker == _JPEG_SCAN:
            raise NoPicture("is a JPEG without a size; save it again")
        else:
            place += 2 if marker in _JPEG_BARE else 2 + struct.unpack_from(">H", data, place + 2)[0]
    if data.rfind(_JPEG_END) < place:
        raise NoPicture("is cut off; upload it whole")
    return Picture("image/jpeg", width, height)


def _gif(data: bytes) -> Picture:
    width, height = struct.unpack_from("<HH", data, 6)
    if not data.rstrip(b"\x00").endswith(b";"):
        raise NoPicture("is cut off; upload it whole")
    return Picture("image/gif", width, height)


def _webp(data: bytes) -> Picture:
    (size,) = struct.unpack_from("<I", data, 4)
    kind = data[8:16]
    if not kind.startswith(b"WEBP"):
        raise NoPicture("is no PNG, JPEG, WebP or GIF; save it as one of them")
    if size + 8 > len(data):
        raise NoPicture("is cut off; upload it whole")
    if kind.endswith(b"VP8 "):
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    elif kind.endswith(b"VP8L"):
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind.endswith(b"VP8X"):
        low, middle, high = struct.unpack_from("<HHH", data, 24)
        width, height = (low | (middle & 0xFF) << 16) + 1, (middle >> 8 | high << 8) + 1
    else:
        raise NoPicture("is a damaged WebP; save it again")
    return Picture("image/webp", width, height)


_READERS: Mapping[bytes | tuple[bytes, ...], Callable[[bytes], Picture]] = {
    _PNG: _png,
    _JPEG: _jpeg,
    _GIF: _gif,
    _RIFF: _webp,
}
MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
# As files are named.
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif")
