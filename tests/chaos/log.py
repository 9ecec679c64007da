"""The operation log: what the harness did and saw, one JSON object a line, in the order in which it knew it."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

# As in Jepsen: an operation is invoked; then it took place, or did not, or nobody knows. The rest are sights.
Phase = Literal["invoke", "ok", "fail", "unknown", "seen"]


@dataclass(frozen=True)
class Entry:
    """One line: seconds since the log began, who, what, and its facts."""

    at: float
    phase: Phase
    what: str
    who: str
    facts: dict[str, Any]


class OperationLog:
    """Appended to by everyone in the harness, which is one thread."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", buffering=1)
        self._began = time.monotonic()
        self.entries: list[Entry] = []

    def add(self, phase: Phase, what: str, who: str, **facts: Any) -> None:
        """Write down one line."""
        entry = Entry(round(time.monotonic() - self._began, 3), phase, what, who, facts)
        self.entries.append(entry)
        self._file.write(json.dumps(asdict(entry)) + "\n")

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()
