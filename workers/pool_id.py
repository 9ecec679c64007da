"""Who a pool is: the same after its agent restarts, and one agent at a time."""

import fcntl
from pathlib import Path
from typing import IO

from services.chassis.ids import is_id, new_id


class AgentRunning(Exception):
    """Another agent works in this home."""


def keep_pool_id(folder: Path) -> tuple[str, IO[str]]:
    """The pool's id, made at the first start, and the lock on it: hold it as long as the process lives.

    Raises AgentRunning if another process holds it. Two agents under one id would take each other's files away.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        text = f"another agent works in {folder.parent}; stop it, or set TUNESMITH_HOME to another folder"
        raise AgentRunning(text) from error
    path = folder / "pool-id"
    pool_id = path.read_text().strip() if path.exists() else ""
    if not is_id(pool_id):
        pool_id = new_id()
        fresh = path.with_suffix(".new")
        fresh.write_text(f"{pool_id}\n")
        fresh.replace(path)
    return pool_id, lock
