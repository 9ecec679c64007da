"""A tar archive as it arrives: the files that are taken go to disk, the rest passes by, and nothing waits in memory but a header.

Not tarfile's reader, which reads whole extended headers into memory whatever size they claim, and wants to pull its bytes.
"""

import hashlib
import re
import tarfile
from pathlib import Path

from tunesmith.registry.v1 import adapter_pb2

from services.registry.adapters.contents import as_adapter_file
from services.registry.adapters.files import CONFIG, TAKEN, WEIGHTS, is_pickle, max_bytes, pickle_refused, taken
from services.registry.importing.incoming_file import IncomingFile
from services.registry.importing.refused import Refused

_BLOCK = tarfile.BLOCKSIZE
_MAX_HEADER_BYTES = 16 * 1024
_MAX_ENTRIES = 1000
# Tokenizer and card travel beside an adapter, so that what is not taken may be this long in all.
_MAX_SKIPPED_BYTES = 512 * 1024 * 1024
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"(\xb5": "zstd", b"PK": "zip"}
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_EXTENDED = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_LONG_NAME = tarfile.GNUTYPE_LONGNAME
_DRIVE = re.compile(r"[A-Za-z]:")


class Archive:
    """Fills a folder with the files of one adapter. Raises Refused, naming the entry, from any of its methods."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digest = hashlib.sha256()
        # Bytes of a header that are not complete yet.
        self._waiting = bytearray()
        self._header_bytes = _BLOCK
        # What the bytes that come next are: of a file, then padding.
        self._left = 0
        self._padding = 0
        self._file: IncomingFile | None = None
        # The type of the header before the header that is being read, and how much of its blocks is content.
        self._extension = b""
        self._extension_size = 0
        # What it said of the entry behind it.
        self._name: str | None = None
        self._size: int | None = None
        self._names: list[str] = []
        self._skipped = 0
        self._entries = 0
        self._over = False
        self.files: list[adapter_pb2.AdapterFile] = []

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._digest.update(piece)
        rest = memoryview(piece)
        while rest:
            if self._over:
                return
            if self._left:
                rest = self._content(rest)
            elif self._padding:
                step = min(self._padding, len(rest))
                self._padding -= step
                rest = rest[step:]
            else:
                rest = self._header(rest)

    def finish(self) -> None:
        """Check that it came whole, with what an adapter needs."""
        if not self._entries:
            raise _no_archive(bytes(self._waiting))
        if self._left or self._waiting:
            raise Refused("the archive ends in the middle of an entry; send all of it")
        taken(self._names)

    @property
    def sha256(self) -> str:
        """Of everything that came."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Let go of a file that did not come whole."""
        if self._file is not None:
            self._file.close()

    def _content(self, rest: memoryview) -> memoryview:
        step = min(self._left, len(rest))
        if self._file is not None:
            self._file.write(bytes(rest[:step]))
        self._left -= step
        if not self._left:
            self._end_file()
        return rest[step:]

    def _end_file(self) -> None:
        if self._file is not None:
            self.files.append(as_adapter_file(self._file.finish()))
            self._file = None

    def _header(self, rest: memoryview) -> memoryview:
        step = min(self._header_bytes - len(self._waiting), len(rest))
        self._waiting += rest[:step]
        if len(self._waiting) == self._header_bytes:
            block, self._waiting = bytes(self._waiting), bytearray()
            if self._extension:
                self._extend(block)
            else:
                self._begin(block)
        return rest[step:]

    def _begin(self, block: bytes) -> None:
        """A header of 512 bytes."""
        if not block.strip(b"\0"):
            # Two empty blocks end an archive; what follows is padding.
            self._over = True
            return
        info = self._decoded(block)
        self._entries += 1
        if self._entries > _MAX_ENTRIES:
            raise Refused(
                f"the archive has more than {_MAX_ENTRIES} entries, which no adapter has; send only the adapter's files"
            )
        if info.type in (*_EXTENDED, _LONG_NAME):
            if not 0 < info.size <= _MAX_HEADER_BYTES:
                raise Refused(
                    f"the archive has an extended header of {info.size} bytes, which no name needs; make it with `tar cf`"
                )
            self._extension, self._extension_size = info.type, info.size
            self._header_bytes = info.size + -info.size % _BLOCK
            return
        name, size = self._name or info.name, info.size if self._size is None else self._size
        self._name = self._size = None
        self._open(name, info, size)

    def _open(self, name: str, info: tarfile.TarInfo, size: int) -> None:
        shown = repr(name[:200])
        parts = name.removeprefix("./").rstrip("/").split("/")
        if name.startswith("/") or "\\" in name or "\0" in name or ".." in parts or _DRIVE.match(name):
            raise Refused(f"entry {shown} leads out of the archive; make the archive inside the adapter's folder")
        if info.isdir():
            if size:
                raise Refused(f"entry {shown} is a folder with content; make the archive with `tar cf`")
            return
        if info.issym() or info.islnk():
            raise Refused(f"entry {shown} is a link; make the archive with `tar chf`, which stores the files themselves")
        if info.type not in _PLAIN:
            raise Refused(f"entry {shown} is no plain file (sparse, device or pipe); store the adapter's files as they are")
        file = parts[-1]
        if is_pickle(file):
            raise pickle_refused(name)
        # The files lie at the top, or in one folder, as in a job's download.
        wanted = file in TAKEN and len(parts) <= 2
        self._check_size(shown, file if wanted else "", size)
        self._left, self._padding = size, -size % _BLOCK
        if wanted:
            if file in self._names:
                raise Refused(f"entry {shown} is there twice; send one adapter an archive")
            self._names.append(file)
            self._file = IncomingFile(self._folder, file)
            if not size:
                self._end_file()

    def _check_size(self, shown: str, file: str, size: int) -> None:
        if size < 0:
            raise Refused(f"entry {shown} has a size below zero; make the archive with `tar cf`")
        if file:
            most = max_bytes(file)
            if size > most:
                raise Refused(f"entry {shown} has {size} bytes, and at most {most} are taken; send an adapter, not a model")
        else:
            self._skipped += size
            if self._skipped > _MAX_SKIPPED_BYTES:
                text = f"entry {shown} and others that are not taken have more than {_MAX_SKIPPED_BYTES} bytes"
                raise Refused(f"{text}; send only {', '.join(TAKEN)}")

    def _extend(self, content: bytes) -> None:
        """What a header before the header says: a longer name, or records such as `30 path=…`."""
        content, kind = content[: self._extension_size], self._extension
        self._extension, self._header_bytes = b"", _BLOCK
        if kind == _LONG_NAME:
            self._name = content.rstrip(b"\0").decode("utf-8", "surrogateescape")
            return
        for key, value in _records(content):
            if key.startswith("GNU.sparse"):
                raise Refused("the archive has a sparse entry, whose size says nothing; store the adapter's files as they are")
            if key == "path" and kind != tarfile.XGLTYPE:
                self._name = value
            elif key == "size":
                if not value.isdecimal() or len(value) > 18:
                    raise Refused("the archive has a size that is no number; make it with `tar cf`")
                self._size = int(value)

    def _decoded(self, block: bytes) -> tarfile.TarInfo:
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            if self._entries:
                raise Refused("the archive is damaged after its first entries; make it again with `tar cf`") from error
            raise _no_archive(block) from error


def _no_archive(start: bytes) -> Refused:
    packed = next((name for magic, name in _COMPRESSED.items() if start.startswith(magic)), None)
    if packed:
        return Refused(f"this is a {packed} file; send a plain tar archive (weights don't shrink)")
    return Refused(f"this is no tar archive; send one with {CONFIG} and {WEIGHTS}, as `tar cf` makes it")


def _records(content: bytes) -> list[tuple[str, str]]:
    """The records of an extended header: each begins with its own length."""
    records = []
    while content.strip(b"\0"):
        length, space, _ = content.partition(b" ")
        if not space or not length.isdigit() or len(length) > 5 or not len(length) + 2 < int(length) <= len(content):
            raise Refused("the archive has an extended header that can't be read; make it again with `tar cf`")
        record, content = content[len(length) + 1 : int(length) - 1], content[int(length) :]
        key, _, value = record.partition(b"=")
        records.append((key.decode("utf-8", "replace"), value.decode("utf-8", "surrogateescape")))
    return records
