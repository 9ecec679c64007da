"""`python -m services.registry.statistics`: counts one file for the registry that started it; a Task comes as a line of JSON."""

import json
import os
import sys
import threading

from services.registry.statistics.counting import RowsUnreadable, Task, count
from services.registry.statistics.tokens import TokenizerUnreadable

# Answering calls and training go first.
_NICENESS = 10


def main() -> None:
    task = Task(**json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_end_with_the_registry, daemon=True).start()
    os.nice(_NICENESS)
    try:
        statistics = count(task)
    except RowsUnreadable as error:
        _answer(b"ROWS_UNREADABLE", str(error).encode())
    except TokenizerUnreadable as error:
        _answer(b"TOKENIZER_UNREADABLE", str(error).encode(errors="replace"))
    else:
        _answer(b"COUNTED", statistics.SerializeToString())


def _answer(outcome: bytes, content: bytes) -> None:
    sys.stdout.buffer.write(outcome + b"\n" + content)
    sys.stdout.buffer.flush()


def _end_with_the_registry() -> None:
    """The registry writes nothing more and keeps the pipe open for as long as it lives."""
    # Not through sys.stdin: a thread that holds its lock makes the interpreter's own end a fatal error.
    while os.read(0, 4096):
        pass
    os._exit(1)


main()
