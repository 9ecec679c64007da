"""The loop that starts parts, watches them, starts them again, and ends them in reverse order."""

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from supervisor import process
from supervisor.home import Home, last_lines
from supervisor.ledger import Ledger
from supervisor.parts import ROOT, Part
from supervisor.signals import Inbox

# While parts start there is something to see several times a second; later a child's end wakes us by itself.
_STARTING_POLL_S = 0.2
_STEADY_POLL_S = 2.0
_MAX_BACKOFF_S = 30.0
# A part that was ready for so long can start: that it ended since is no reason to wait before it starts again.
STEADY_S = 2.0
# How long a part may take to end that is of no use any more, because what it is bound to has ended.
_BOUND_STOP_S = 1.0
_SLOW_S = 30.0
# So many failures in a row are no accident: show the person the reason.
_TELLING_FAILURE = 5
_SHOWN_LOG_LINES = 15
_SHOWN_LINE_LENGTH = 240


def say(line: str) -> None:
    """One line for the person at the terminal. A reader that has left, as `head` does, must not leave the parts without us."""
    with suppress(BrokenPipeError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


@dataclass
class _State:
    """What is known about a part."""

    part: Part
    child: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    ready_at: float = 0.0
    is_ready: bool = False
    was_ready: bool = False
    is_done: bool = False
    is_slow: bool = False
    # How often in a row it ended before it was steady.
    failures: int = 0
    start_at: float = 0.0


class Supervisor:
    """Owns the parts' processes."""

    def __init__(
        self, parts: Sequence[Part], home: Home, ledger: Ledger, first_backoff_s: float = 0.5, steady_s: float = STEADY_S
    ) -> None:
        self._states = {part.name: _State(part) for part in parts}
        self._home = home
        self._ledger = ledger
        self._first_backoff_s = first_backoff_s
        self._steady_s = steady_s

    def run(self, inbox: Inbox) -> int:
        """Run the parts until a signal asks to stop; returns the exit code."""
        code = 0
        inbox.wait(0)
        try:
            while not inbox.stops and code == 0:
                code = self._notice_ends()
                if code == 0:
                    self._start_due()
                self._probe()
                self._record()
                inbox.wait(self._poll_s() if code == 0 else 0)
        finally:
            self._stop_all()
        return code

    def _poll_s(self) -> float:
        waiting = any(not state.is_ready and not state.is_done for state in self._states.values())
        return _STARTING_POLL_S if waiting else _STEADY_POLL_S

    def _start_due(self) -> None:
        for state in self._states.values():
            part = state.part
            waits = any(not self._states[name].is_ready for name in part.after)
            if state.child or state.is_done or waits or time.monotonic() < state.start_at:
                continue
            if part.prepare:
                part.prepare()
            state.child = process.start(part.command, part.environment, ROOT, self._home.log(part.name))
            state.started_at, state.is_slow = time.monotonic(), False
            say(f"{part.name}: started (process {state.child.pid}, log {self._home.log(part.name)})")

    def _probe(self) -> None:
        for state in self._states.values():
            if not state.child or state.is_ready or state.part.once:
                continue
            news = state.part.probe()
            if news is not None:
                state.is_ready = state.was_ready = True
                state.ready_at = time.monotonic()
                say(news or f"{state.part.name}: ready after {time.monotonic() - state.started_at:.1f} s")
            elif time.monotonic() - state.started_at > _SLOW_S and not state.is_slow:
                state.is_slow = True
                say(f"{state.part.name}: not ready after {_SLOW_S:.0f} s; {self._home.log(state.part.name)} may say why")

    def _notice_ends(self) -> int:
        """Deal with parts that have ended. Anything but 0 means to give up."""
        process.reap_adopted(state.child.pid for state in self._states.values() if state.child)
        for state in self._states.values():
            if not state.child or (code := state.child.poll()) is None:
                continue
            process.end(self._own_group(state), 0)
            if state.part.once and code == 0:
                state.child, state.is_done = None, True
                say(f"{state.part.name}: done")
            elif not self._plan_restart(state, code):
                return 1
        return 0

    def _plan_restart(self, state: _State, code: int) -> bool:
        """Say that a part has ended and when it starts again; False if there is no use in going on."""
        part, log = state.part, self._home.log(state.part.name)
        was_steady = state.is_ready and time.monotonic() - state.ready_at > self._steady_s
        state.failures = 0 if was_steady else state.failures + 1
        state.child, state.is_ready = None, False
        how = f"ended with code {code}" if code >= 0 else f"was ended by signal {-code}"
        if state.failures == _TELLING_FAILURE:
            say(f"{part.name}: {how} for the {_TELLING_FAILURE}th time in a row. The end of {log}:")
            for line in last_lines(log, _SHOWN_LOG_LINES):
                say(f"    {line[:_SHOWN_LINE_LENGTH]}")
            if part.is_vital and not state.was_ready:
                return False
        backoff_s = min(_MAX_BACKOFF_S, self._first_backoff_s * 2 ** (state.failures - 1)) if state.failures else 0.0
        state.start_at = time.monotonic() + backoff_s
        say(f"{part.name}: {how}; starts again {f'in {backoff_s:g} s' if backoff_s else 'at once'} (log {log})")
        self._restart_bound(part.name)
        return True

    def _restart_bound(self, name: str) -> None:
        for other in self._states.values():
            if name not in other.part.bound_to:
                continue
            if other.child:
                say(f"{other.part.name}: starts again, because {name} does")
                self._stop(other, min(other.part.stop_s, _BOUND_STOP_S))
            # What it failed of may well have been the other's end.
            other.child, other.is_ready, other.failures, other.start_at = None, False, 0, 0.0

    def _own_group(self, state: _State) -> list[psutil.Process]:
        """What a part that has ended left in its session, adopted by us since."""
        assert state.child
        return [child for child in psutil.Process().children(recursive=True) if process.session_of(child) == state.child.pid]

    def _record(self) -> None:
        self._ledger.record(psutil.Process().children(recursive=True))

    def _stop(self, state: _State, patience_s: float) -> None:
        if state.child:
            process.end(process.with_descendants(state.child.pid), patience_s, first=state.child.pid)
            state.child.wait()

    def _stop_all(self) -> None:
        say("stopping")
        for state in reversed(self._states.values()):
            self._stop(state, state.part.stop_s)
        left = process.end(psutil.Process().children(recursive=True), 1.0)
        process.reap_adopted(())
        self._record()
        say("stopped" + (f"; {left} processes had to be killed" if left else ""))
