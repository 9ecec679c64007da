"""Signals as something to wait for, so that nothing happens inside a handler."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Inbox:
    """Wakes its owner when a child ends or somebody wants it to stop."""

    def __init__(self, receiving_end: int) -> None:
        self._receiving_end = receiving_end
        self.stops = 0

    def wait(self, seconds: float) -> None:
        """Sleep so long, or until a signal comes."""
        ready, _, _ = select.select([self._receiving_end], [], [], seconds)
        if ready:
            numbers = os.read(self._receiving_end, 4096)
            self.stops += sum(number in _STOPPING for number in numbers)


@contextmanager
def inbox() -> Iterator[Inbox]:
    """Receive signals in an inbox for as long as the block lasts."""
    receiving_end, sending_end = os.pipe()
    os.set_blocking(receiving_end, False)
    os.set_blocking(sending_end, False)
    before = {number: signal.signal(number, _ignore) for number in (*_STOPPING, signal.SIGCHLD)}
    signal.set_wakeup_fd(sending_end, warn_on_full_buffer=False)
    try:
        yield Inbox(receiving_end)
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(receiving_end)
        os.close(sending_end)


def _ignore(number: int, frame: object) -> None:
    """The interpreter writes the number into the pipe by itself; a handler has to be there for that."""
