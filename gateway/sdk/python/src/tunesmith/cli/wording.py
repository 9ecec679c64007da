"""How texts, times and sizes read on a terminal."""

import math
import unicodedata
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SIZES = ("B", "kB", "MB", "GB", "TB")
_COUNTS = ("", " k", " M", " B", " T")


def plain(text: str) -> str:
    """A text without what a terminal would act on: a server's text must not move the cursor or hide a part of itself."""
    spaced = text.replace("\n", " ").replace("\t", " ")
    return "".join(character for character in spaced if not controls_terminal(character))


def controls_terminal(character: str) -> bool:
    """Whether a character does something instead of showing something."""
    return unicodedata.category(character) == "Cc" or character in _BIDIRECTIONAL


def ago(time: Timestamp, now: datetime | None = None) -> str:
    """How long ago: `3 min ago`. Empty for an unset time."""
    if not time.seconds:
        return ""
    seconds = ((now or datetime.now(UTC)) - time.ToDatetime(UTC)).total_seconds()
    if seconds < 60:
        return "just now"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return ""


def clock(time: Timestamp) -> str:
    """The time of day here: `14:03:09`."""
    return time.ToDatetime(UTC).astimezone().strftime("%H:%M:%S") if time.seconds else ""


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s`, `2 h 07 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def size(byte_count: int) -> str:
    """`3.4 MB`, in thousands, as disks are sold."""
    return _scaled(byte_count, [f" {unit}" for unit in _SIZES])


def count(number: int) -> str:
    """`2.4 M`."""
    return _scaled(number, _COUNTS)


def number(value: float) -> str:
    """A loss or a rate: four digits that count."""
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def share(value: float) -> str:
    """`25 %`. Only what is done is 100 %."""
    return f"{math.floor(value * 100)} %"


def choice(enum: Any, value: int, prefix: str) -> str:
    """An enum's value without its prefix, in lower case: `succeeded`. A value newer than this program stays a number."""
    try:
        name = str(enum.Name(value))
    except ValueError:
        return str(value)
    short = name.removeprefix(prefix).lower()
    return "" if short == "unspecified" else short.replace("_", " ")


def _scaled(value: int, units: Any) -> str:
    scaled, index = float(value), 0
    while scaled >= 999.5 and index < len(units) - 1:
        scaled, index = scaled / 1000, index + 1
    return f"{scaled:.3g}{units[index]}" if index else f"{value}{units[0]}"
