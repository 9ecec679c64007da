"""Noticing a step that does not end."""

import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

from workers.providers.local.schedule import FIRST_STEP_S

# Unset, a step may take at least so long, and so many times what steps took so far.
LEAST_LIMIT_S = 600.0
TIMES_A_STEP = 20
# The first step of an attempt compiles kernels, and nobody knows yet how long a step takes.
FIRST_LIMIT_S = 3600.0
_LONGEST_PAUSE_S = 5.0
# So many looks at the clock in the shortest time that a step may take.
_LOOKS = 20

log = structlog.get_logger()


def limit_s(timeout_s: float | None, step_s: float | None) -> float:
    """Seconds that a step may take: `timeout_s` is what a person set, `step_s` what steps took, None before the first one."""
    if step_s is None:
        return FIRST_LIMIT_S if timeout_s is None else max(float(FIRST_STEP_S), timeout_s)
    return max(LEAST_LIMIT_S, TIMES_A_STEP * step_s) if timeout_s is None else timeout_s


class Watchdog:
    """Calls `hangs` with step, seconds and limit, from a thread of its own and once, when a step takes longer than it may.

    Only what lies between `begin` and `end` counts: evaluations and saving take as long as they take. Time in which the whole
    process stood still, because somebody suspended it, does not count either.
    """

    def __init__(
        self,
        timeout_s: float | None,
        hangs: Callable[[int, float, float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout_s = timeout_s
        self._hangs = hangs
        self._clock = clock
        self._pause_s = min(_LONGEST_PAUSE_S, limit_s(timeout_s, 0.0) / _LOOKS)
        self._lock = threading.Condition()
        self._step: int | None = None
        self._limit_s = self._taken_s = self._looked_s = 0.0
        self._over = False
        self._watched = threading.get_ident()

    def __enter__(self) -> Self:
        """Watch the thread that calls this."""
        self._watched = threading.get_ident()
        self._over = False
        threading.Thread(target=self._look_until_over, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._over, self._step = True, None
            self._lock.notify_all()

    def begin(self, step: int, step_s: float | None) -> None:
        """A step begins; `step_s` is what steps took, None in an attempt's first."""
        with self._lock:
            self._step, self._limit_s = step, limit_s(self._timeout_s, step_s)
            self._taken_s, self._looked_s = 0.0, self._clock()

    def goes_on(self) -> None:
        """A batch of the step ended. Where nobody set how long a step may take, that is a sign of life."""
        if self._timeout_s is None:
            with self._lock:
                self._taken_s, self._looked_s = 0.0, self._clock()

    def end(self) -> None:
        """No step runs."""
        with self._lock:
            self._step = None

    def look(self) -> None:
        """Say so if the step has taken too long. Called by the thread."""
        with self._lock:
            now = self._clock()
            # Nobody looked for much longer than a pause: the process was suspended.
            self._taken_s += min(now - self._looked_s, 3 * self._pause_s)
            self._looked_s = now
            step, taken_s, limit = self._step, self._taken_s, self._limit_s
            if step is None or taken_s < limit:
                return
            self._step, self._over = None, True
        log.error("step_hangs", step=step, seconds=round(taken_s), where=self._where())
        self._hangs(step, taken_s, limit)

    def _look_until_over(self) -> None:
        while not self._over_after_a_pause():
            self.look()

    def _over_after_a_pause(self) -> bool:
        with self._lock:
            return self._lock.wait_for(lambda: self._over, self._pause_s)

    def _where(self) -> str:
        """What the thread is doing, for the log."""
        frame = sys._current_frames().get(self._watched)
        return "".join(traceback.format_stack(frame)[-12:]) if frame is not None else "its thread has ended"
