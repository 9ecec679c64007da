"""The rows as they are stored: one JSON object a line."""

import errno
import os
from pathlib import Path

from services.chassis.errors import ResourceExhausted

_WRITE_BYTES = 1024 * 1024


class RowFile:
    """A new file of rows."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)
        self._lines: list[bytes] = []
        self._waiting_bytes = 0
        self.row_count = 0
        self.size_bytes = 0

    def add(self, line: bytes) -> bool:
        """Add a row, without its line feed. Tells whether that made the file longer, which happens once a MiB."""
        self._lines.append(line)
        self._waiting_bytes += len(line) + 1
        if self._waiting_bytes < _WRITE_BYTES:
            return False
        self._write()
        return True

    def finish(self) -> None:
        """Put it on disk."""
        self._write()
        os.fsync(self._file.fileno())
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _write(self) -> None:
        if not self._lines:
            return
        self.row_count += len(self._lines)
        self.size_bytes += self._waiting_bytes
        write_all(self._file.fileno(), b"\n".join([*self._lines, b""]))
        self._lines, self._waiting_bytes = [], 0


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it. Raises ResourceExhausted, reason DISK_FULL, where there is no room."""
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            text = "the server's disk is full; free space below TUNESMITH_HOME and send it again"
            raise ResourceExhausted("DISK_FULL", text) from error
        raise
