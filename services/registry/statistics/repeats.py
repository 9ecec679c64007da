"""Counts rows that are equal to an earlier one, exactly, in bounded memory.

A row becomes 16 bytes of BLAKE2b: nobody has ever found two texts of one such hash. Hashes are sorted into parts by their first
byte; equal ones meet in one part, so that the parts are counted one after another. Ten million rows are 160 MB; what goes beyond
LIMIT_BYTES lies in files that are gone when the count is.
"""

import hashlib
import tempfile
from typing import IO

HASH_BYTES = 16
PARTS = 256
LIMIT_BYTES = 192 * 1024 * 1024


class Repeats:
    """Hashes of rows."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._parts = [bytearray() for _ in range(PARTS)]
        self._files: list[IO[bytes]] = []
        self._held_bytes = 0

    def add(self, row: bytes) -> None:
        """Note a row in its canonical form."""
        digest = hashlib.blake2b(row, digest_size=HASH_BYTES).digest()
        self._parts[digest[0]] += digest
        self._held_bytes += HASH_BYTES
        if self._held_bytes >= self._limit_bytes:
            self._spill()

    def count(self) -> int:
        """Rows that are equal to an earlier one; lets go of all of them."""
        found = 0
        for part in range(PARTS):
            hashes = self._take(part)
            distinct = {hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)}
            found += len(hashes) // HASH_BYTES - len(distinct)
        for file in self._files:
            file.close()
        return found

    def _spill(self) -> None:
        if not self._files:
            # They close together, in `count`; an end before that is the process's.
            self._files = [tempfile.TemporaryFile(buffering=0) for _ in range(PARTS)]  # noqa: SIM115
        for part, file in zip(self._parts, self._files, strict=True):
            file.write(part)
            part.clear()
        self._held_bytes = 0

    def _take(self, part: int) -> bytes:
        held = bytes(self._parts[part])
        self._parts[part] = bytearray()
        if not self._files:
            return held
        self._files[part].seek(0)
        return self._files[part].read() + held
