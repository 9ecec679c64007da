"""One file of a model while it is copied: hashed on the way, and on disk when it is finished."""

import hashlib
import os
from pathlib import Path

from tunesmith.registry.v1 import base_model_pb2

from services.registry.ingest.row_file import write_all


class IncomingFile:
    """A new file in a folder that nobody sees yet."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._file = (folder / name).open("xb", buffering=0)
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def write(self, chunk: bytes) -> None:
        """Add bytes."""
        write_all(self._file.fileno(), chunk)
        self._hash.update(chunk)
        self.size_bytes += len(chunk)

    def finish(self) -> base_model_pb2.BaseModelFile:
        """Put it on disk; answers what it is."""
        os.fsync(self._file.fileno())
        self.close()
        return base_model_pb2.BaseModelFile(path=self._name, size_bytes=self.size_bytes, sha256=self._hash.hexdigest())

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
