"""An adapter's folder as a tar archive, made while it is read: gigabytes need no second place on the disk."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from tunesmith.client.errors import Violation, invalid

# Two empty blocks end an archive.
_END = 2 * tarfile.BLOCKSIZE
CONFIG, WEIGHTS, README = "adapter_config.json", "adapter_model.safetensors", "README.md"
_BLOCK_BYTES = 1024 * 1024


class FolderArchive(io.RawIOBase):
    """The files of a folder that the server takes, as a stream to read from. Raises InvalidArgument for a folder without them."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        for name in (CONFIG, WEIGHTS):
            if not (folder / name).is_file():
                raise invalid([Violation("source", f"{folder} has no {name}; give what save_pretrained of a PEFT model wrote")])
        self._paths = [folder / name for name in (CONFIG, WEIGHTS, README) if (folder / name).is_file()]
        self._blocks = self._archive()
        self._waiting = b""

    @property
    def size_bytes(self) -> int:
        """How long the archive is."""
        sizes = [path.stat().st_size for path in self._paths]
        return _padded(sum(tarfile.BLOCKSIZE + _padded(size, tarfile.BLOCKSIZE) for size in sizes) + _END, tarfile.RECORDSIZE)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        """Read into a buffer, at least a byte unless it is over."""
        target = memoryview(cast(bytearray, buffer)).cast("B")
        while not self._waiting:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._waiting = block
        step = min(len(target), len(self._waiting))
        target[:step], self._waiting = self._waiting[:step], self._waiting[step:]
        return step

    def _archive(self) -> Iterator[bytes]:
        total = 0
        for path in self._paths:
            with path.open("rb") as file:
                info = tarfile.TarInfo(path.name)
                info.size = path.stat().st_size
                total += tarfile.BLOCKSIZE + _padded(info.size, tarfile.BLOCKSIZE)
                yield info.tobuf(tarfile.GNU_FORMAT)
                left = info.size
                while left and (block := file.read(min(left, _BLOCK_BYTES))):
                    left -= len(block)
                    yield block
                if left:
                    raise OSError(f"{path} has become shorter while it was read; upload it again when nothing writes to it")
                yield bytes(-info.size % tarfile.BLOCKSIZE)
        yield bytes(_padded(total + _END, tarfile.RECORDSIZE) - total)


def _padded(size: int, block: int) -> int:
    return size + -size % block
