"""Folders on disk that become visible whole or not at all.

A folder is filled under `.incoming`, put on disk, recorded in the database, and only then renamed to its place. So what lies in
`.incoming` after a crash is either recorded, and is renamed at the next start, or is not, and is removed. What lies in its place
is never removed, even if the service is started with another database by mistake.

What takes hours to fetch is filled under `.unfinished` instead, which an interruption leaves as it is.
"""

import shutil
from pathlib import Path

from services.chassis.files import sync_folder
from services.chassis.ids import new_id

_INCOMING = ".incoming"
_UNFINISHED = ".unfinished"


class Shelf:
    """A folder of folders, each named by an id that the server made."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / _INCOMING
        self._unfinished = root / _UNFINISHED

    def path(self, folder_id: str) -> Path:
        """Where a recorded folder lies."""
        return self._root / folder_id

    def begin(self) -> "Incoming":
        """A new folder that nobody sees."""
        return Incoming(self._root, self._incoming)

    def resume(self, folder_id: str, version: str) -> "Unfinished":
        """The folder that a known model is fetched into, with what an earlier attempt at the same version left in it."""
        return Unfinished(self._root, self._unfinished, folder_id, version)

    def forget(self, folder_id: str) -> None:
        """Remove what was fetched of a model and is of no use."""
        for folder in self._unfinished.glob(f"{folder_id}@*"):
            shutil.rmtree(folder, ignore_errors=True)

    def recover_unfinished(self, complete: set[str], wanted: set[str]) -> None:
        """Put complete folders in their place that a crash kept from it, and remove those that nobody wants any more.

        Call it before the service takes calls.
        """
        for folder in self._unfinished.glob("*@*"):
            folder_id = folder.name.partition("@")[0]
            if folder_id in complete and not self.path(folder_id).exists():
                folder.rename(self.path(folder_id))
                sync_folder(self._root)
            elif folder_id not in wanted:
                shutil.rmtree(folder)

    def recover(self, recorded: set[str]) -> tuple[int, int]:
        """Finish what a crash interrupted. Answers how many folders were put in their place and how many removed.

        Call it before the service takes calls.
        """
        kept = removed = 0
        for folder in self._incoming.glob("*"):
            if folder.name in recorded:
                folder.rename(self.path(folder.name))
                kept += 1
            else:
                shutil.rmtree(folder)
                removed += 1
        if kept:
            sync_folder(self._root)
        return kept, removed


class Incoming:
    """A folder on its way: fill `path`, `seal`, record its id, `publish`; `discard` at the end, however it ended."""

    def __init__(self, root: Path, incoming: Path) -> None:
        self._root = root
        self._incoming = incoming
        self.path = incoming / new_id()
        self.path.mkdir(parents=True)

    def seal(self) -> str:
        """Its id, made now, so that ids are in the order in which folders were completed. Its names are on disk after this."""
        folder_id = new_id()
        sync_folder(self.path)
        self.path = self.path.rename(self._incoming / folder_id)
        sync_folder(self._incoming)
        return folder_id

    def publish(self) -> None:
        """Put it in its place."""
        self.path.rename(self._root / self.path.name)
        sync_folder(self._root)

    def discard(self) -> None:
        """Remove it unless it was published."""
        shutil.rmtree(self.path, ignore_errors=True)


class Unfinished:
    """A folder that is filled over several attempts: fill `path`, record it as complete, `publish`.

    One version of a model's files at a time: another version's are removed.
    """

    def __init__(self, root: Path, unfinished: Path, folder_id: str, version: str) -> None:
        self._root = root
        self._folder_id = folder_id
        self.path = unfinished / f"{folder_id}@{version}"
        for other in unfinished.glob(f"{folder_id}@*"):
            if other != self.path:
                shutil.rmtree(other, ignore_errors=True)
        self.path.mkdir(parents=True, exist_ok=True)

    def seal(self) -> None:
        """Its names are on disk after this."""
        sync_folder(self.path)

    def publish(self) -> None:
        """Put it in its place."""
        self.path.rename(self._root / self._folder_id)
        sync_folder(self._root)
