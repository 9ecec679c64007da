"""A step that does not end is noticed, once, and nothing else is."""

import threading
import time

import pytest

from workers.training.watchdog import FIRST_LIMIT_S, LEAST_LIMIT_S, Watchdog, limit_s


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Watch:
    """A watchdog without its thread: it looks every few seconds, as the thread would."""

    def __init__(self, timeout_s: float | None) -> None:
        self.clock = Clock()
        self.hangs: list[tuple[int, float, float]] = []
        self.dog = Watchdog(timeout_s, lambda *told: self.hangs.append(told), self.clock)

    def wait(self, seconds: float, look_s: float = 1.0) -> None:
        for _ in range(round(seconds / look_s)):
            self.clock.now += look_s
            self.dog.look()


@pytest.mark.parametrize(
    ("timeout_s", "step_s", "limit"),
    [
        (None, None, FIRST_LIMIT_S),
        (None, 1.0, LEAST_LIMIT_S),
        (None, 60.0, 1200.0),
        (30.0, 1.0, 30.0),
        (30.0, 60.0, 30.0),
        # An attempt's first step may compile.
        (30.0, None, 600.0),
        (4000.0, None, 4000.0),
    ],
)
def test_how_long_a_step_may_take(timeout_s: float | None, step_s: float | None, limit: float) -> None:
    assert limit_s(timeout_s, step_s) == limit


def test_a_step_that_hangs_is_told_once() -> None:
    watch = Watch(30.0)
    watch.dog.begin(7, 1.0)
    watch.wait(29)
    assert watch.hangs == []
    watch.wait(100)
    assert watch.hangs == [(7, 30.0, 30.0)]


def test_steps_that_end_are_not() -> None:
    watch = Watch(30.0)
    for step in range(10):
        watch.dog.begin(step, 1.0)
        watch.wait(25)
    assert watch.hangs == []


def test_between_steps_nothing_is_watched() -> None:
    watch = Watch(30.0)
    watch.dog.begin(1, 1.0)
    watch.dog.end()
    # An evaluation, or saving.
    watch.wait(10_000)
    assert watch.hangs == []


def test_a_batch_is_a_sign_of_life_unless_somebody_set_how_long_the_step_may_take() -> None:
    for timeout_s, hangs in ((None, 0), (100.0, 1)):
        watch = Watch(timeout_s)
        watch.dog.begin(1, 1.0)
        for _ in range(5):
            watch.wait(500)
            watch.dog.goes_on()
        assert len(watch.hangs) == hangs


def test_time_in_which_the_process_was_suspended_does_not_count() -> None:
    watch = Watch(30.0)
    watch.dog.begin(1, 1.0)
    watch.wait(10)
    # One look, an hour later.
    watch.wait(3600, look_s=3600)
    assert watch.hangs == []
    watch.wait(30)
    assert len(watch.hangs) == 1


def test_the_thread_looks_and_ends_with_its_run() -> None:
    hung = threading.Event()
    dog = Watchdog(0.2, lambda *_: hung.set())
    with dog:
        assert "watchdog" in {thread.name for thread in threading.enumerate()}
        dog.begin(2, 0.01)
        assert hung.wait(10)
    end = time.monotonic() + 5
    while "watchdog" in {thread.name for thread in threading.enumerate()} and time.monotonic() < end:
        time.sleep(0.01)
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}
