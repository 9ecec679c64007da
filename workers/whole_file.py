"""Files of the worker's cache: under their name they are whole and on the disk, or not there at all."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import uuid_utils

# Beside the folders that hold files: what is being written, and what a process that died was writing.
PARTIAL = "partial"
# Written once, read by many jobs: a job that wrote into one would spoil the others.
_READ_ONLY = 0o444


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to be written, which gets its name at the end. It is forgotten if that raises."""
    partial = path.parent.parent / PARTIAL / str(uuid_utils.uuid7())
    for folder in (path.parent, partial.parent):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with partial.open("xb") as file:
            # As long as it is written: who finds it unlocked finds it left.
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            file.flush()
            # Without this a power cut may leave a file of the right name and length, full of zeros.
            os.fsync(file.fileno())
            partial.chmod(_READ_ONLY)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def remove_unless_used(path: Path) -> bool:
    """Remove a file that no process has locked; tells whether it is gone."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True
