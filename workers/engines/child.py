"""An engine's process: what it says is read while it runs, and it ends when it is told to."""

import os
import re
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

LAUNCH = Path(__file__).with_name("launch.py")
# How often somebody is asked whether to go on.
LOOK_S = 0.5
# Between being asked to end and being ended.
GRACE_S = 10.0
_PARTS = re.compile(r"[\r\n]+")
_LAST_LINES = 30
_LONGEST_LINE = 4096


class Child:
    """A command without a shell, in a group of its own. `look` is called every half second, and what it raises ends the child."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], look: Callable[[], None]) -> None:
        self._command = [command[0], str(LAUNCH), *command]
        self._folder = folder
        self._environment = environment
        self._look = look
        # What it said last, without the progress bars.
        self.last_lines: deque[str] = deque(maxlen=_LAST_LINES)

    def run(self, hear: Callable[[str], None]) -> int:
        """Its exit code; `hear` gets every piece of what it says."""
        pieces: SimpleQueue[str | None] = SimpleQueue()
        process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        reader = threading.Thread(target=_read, args=(process, pieces), name="engine-output", daemon=True)
        reader.start()
        try:
            self._follow(pieces, hear)
            return process.wait()
        except BaseException:
            _end(process)
            raise

    def _follow(self, pieces: SimpleQueue[str | None], hear: Callable[[str], None]) -> None:
        while True:
            try:
                piece = pieces.get(timeout=LOOK_S)
            except Empty:
                self._look()
                continue
            if piece is None:
                return
            self._look()
            if "it/s]" not in piece and "s/it]" not in piece:
                self.last_lines.append(piece[:_LONGEST_LINE])
            hear(piece)


def _read(process: "subprocess.Popen[bytes]", pieces: "SimpleQueue[str | None]") -> None:
    assert process.stdout is not None
    rest = ""
    while chunk := os.read(process.stdout.fileno(), 65536):
        *whole, rest = _PARTS.split(rest + chunk.decode("utf-8", "replace"))
        # A line that never ends is no line.
        rest = rest[-_LONGEST_LINE:]
        for piece in whole:
            if piece.strip():
                pieces.put(piece)
    if rest.strip():
        pieces.put(rest)
    pieces.put(None)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """With its own children, which hold GPUs as well."""
    for number, seconds in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
