"""When to store where training stands."""

import time
from collections.abc import Callable

# Storing may take one part in so many of the time: 2 %.
SHARE = 50


class Cadence:
    """Says when the next training state is due: by time, so that a crash costs about as much whatever a step takes.

    The first is due after `interval_s` of training; later ones after that or SHARE times what the last one took to store,
    whichever is longer.
    """

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = interval_s
        self._pause_s = interval_s
        self._clock = clock
        self._since_s = clock()

    def begin(self) -> None:
        """Training begins now."""
        self._since_s = self._clock()

    def is_due(self, remaining_s: float) -> bool:
        """Whether to store now, if the rest takes so long: what is nearly done is not worth it."""
        return self.is_past() and remaining_s * SHARE > self._pause_s

    def is_past(self) -> bool:
        """Whether enough time has passed since the last one was stored, or could not be."""
        return self._clock() - self._since_s >= self._pause_s

    def tried(self, cost_s: float) -> None:
        """A state was stored just now, or could not be; it took so many seconds."""
        self._pause_s = max(self._interval_s, SHARE * cost_s)
        self._since_s = self._clock()
