"""A model in a folder on the server. Only folders below the import roots are read, and nothing that a link leads out of them."""

import asyncio
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from tunesmith.registry.v1 import base_model_pb2

from services.registry.importing.files import MAX_SMALL_FILE_BYTES, SMALL_FILES
from services.registry.importing.incoming_file import IncomingFile
from services.registry.importing.refused import Refused
from services.registry.importing.safetensors_header import read_header
from services.registry.uninterrupted import to_the_end

_BLOCK_BYTES = 8 * 1024 * 1024


class LocalFolder:
    """The files of one folder."""

    def __init__(self, path: str, roots: Sequence[Path], small_files: Sequence[str] = SMALL_FILES) -> None:
        """What is not among the small files has to be safetensors. Raises Refused for a folder outside the roots, or none."""
        self._roots = roots
        self._small_files = small_files
        self._folder = self._inside(Path(path))
        self.label = self._folder.name
        self.names = _names(self._folder)

    async def fetch(self, name: str, folder: Path) -> base_model_pb2.BaseModelFile:
        """Copy one file. Raises Refused unless it is a plain file, and its weights' header is sound."""
        source = await asyncio.to_thread(self._open, name)
        with source:
            target = IncomingFile(folder, name)
            try:
                while await to_the_end(asyncio.to_thread(_copy_block, source, target)):
                    pass
                return await to_the_end(asyncio.to_thread(target.finish))
            finally:
                target.close()

    def _open(self, name: str) -> BinaryIO:
        path = self._inside(self._folder / name)
        try:
            # Not blocking, or a pipe would hold the thread until somebody writes to it.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise Refused(f"{name} cannot be read ({error.strerror}); copy it and let the server read it") from error
        file = os.fdopen(descriptor, "rb", buffering=0)
        facts = os.fstat(descriptor)
        fault = None
        if not stat.S_ISREG(facts.st_mode):
            fault = f"{name} is not a plain file; copy it into the folder"
        elif name in self._small_files and facts.st_size > MAX_SMALL_FILE_BYTES:
            fault = f"{name} is larger than {MAX_SMALL_FILE_BYTES} bytes, which no model's is; save the model again"
        if fault:
            file.close()
            raise Refused(fault)
        if name not in self._small_files:
            # Looked at before gigabytes are copied, and again afterwards.
            read_header(path)
        return file

    def _inside(self, path: Path) -> Path:
        """Where a path leads. Raises Refused if that is outside the roots. Says nothing of what is outside."""
        if "\x00" in str(path) or not path.is_absolute():
            raise Refused("must be an absolute path of a folder on the server")
        try:
            resolved = path.resolve()
        except (OSError, RuntimeError) as error:
            # Links in a circle, or a name that no disk could hold.
            raise Refused(f"{path.name[:80]} leads nowhere; give the path of a folder that exists") from error
        if not any(resolved.is_relative_to(root) for root in self._roots):
            allowed = ", ".join(str(root) for root in self._roots)
            raise Refused(
                f"{path.name} leads outside the folders that models are imported from ({allowed}); move the model there, or add "
                "its folder to TUNESMITH_IMPORT_ROOTS"
            )
        return resolved


def _names(folder: Path) -> Sequence[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if not entry.is_dir())
    except OSError as error:
        raise Refused(f"the folder cannot be read ({error.strerror}); give one that the server may read") from error


def _copy_block(source: BinaryIO, target: IncomingFile) -> bool:
    """Copy a block; False at the end of the file."""
    block = source.read(_BLOCK_BYTES)
    if block:
        target.write(block)
    return bool(block)
