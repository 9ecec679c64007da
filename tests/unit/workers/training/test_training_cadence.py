"""Training states are stored by time, and cost at most their share of it."""

from workers.training.cadence import SHARE, Cadence

LONG = 1e9


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_the_first_is_due_after_the_interval() -> None:
    clock = Clock()
    cadence = Cadence(60, clock)
    # Loading took its time; training begins only now.
    clock.now_s += 500
    cadence.begin()
    clock.now_s += 59
    assert not cadence.is_due(LONG)
    clock.now_s += 1
    assert cadence.is_due(LONG)


def test_one_that_costs_little_is_due_after_the_interval_again() -> None:
    clock = Clock()
    cadence = Cadence(60, clock)
    cadence.tried(cost_s=1)
    clock.now_s += 59
    assert not cadence.is_due(LONG)
    clock.now_s += 1
    assert cadence.is_due(LONG)


def test_one_that_costs_much_comes_seldom() -> None:
    clock = Clock()
    cadence = Cadence(60, clock)
    cadence.tried(cost_s=10)
    clock.now_s += SHARE * 10 - 1
    assert not cadence.is_due(LONG)
    clock.now_s += 1
    assert cadence.is_due(LONG)


def test_none_is_due_right_before_the_end() -> None:
    clock = Clock()
    cadence = Cadence(60, clock)
    cadence.tried(cost_s=10)
    clock.now_s += 1000
    assert not cadence.is_due(remaining_s=10)
    assert cadence.is_due(remaining_s=11)
    assert not cadence.is_due(remaining_s=0)
