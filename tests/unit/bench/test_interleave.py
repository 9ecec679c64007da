"""The order of arms, what is dropped, and whose failure ends a run."""

from collections.abc import Callable

import pytest

from bench.interleave import Arm, interleave
from bench.witness import witness

ROUNDS = 7


def still() -> dict[str, float]:
    return {"speed": 1.0}


def ignore(_: str) -> None:
    """What is told is not looked at."""


class Counting:
    """An arm that says how often it was called, and in which order among others."""

    def __init__(self, name: str, calls: list[str], fails_at: int | None = None) -> None:
        self.name, self.calls, self.fails_at = name, calls, fails_at

    def measure(self) -> dict[str, float]:
        self.calls.append(self.name)
        count = self.calls.count(self.name)
        if count == self.fails_at:
            raise OSError("gone")
        return {"count": count}


def counting(calls: list[str], fails_at: int | None = None, is_peer: bool = False) -> list[Arm]:
    ours, theirs = Counting("ours", calls), Counting("theirs", calls, fails_at)
    return [Arm("ours", ours.measure), Arm("theirs", theirs.measure, is_peer)]


def test_arms_go_forwards_and_backwards_by_turns() -> None:
    calls: list[str] = []
    interleave(counting(calls), 3, ignore, still)
    assert calls == ["ours", "theirs", "theirs", "ours", "ours", "theirs", "theirs", "ours"]


def test_the_warm_up_round_is_dropped_and_every_other_value_kept() -> None:
    rounds = interleave(counting([]), ROUNDS, ignore, still)
    assert rounds.values("ours.count") == rounds.values("theirs.count") == [2, 3, 4, 5, 6, 7, 8]
    assert len(rounds.rounds) == ROUNDS


def test_the_witness_is_asked_before_each_round() -> None:
    asked: list[float] = []

    def slower() -> dict[str, float]:
        asked.append(float(len(asked)))
        return {"speed": asked[-1]}

    rounds = interleave(counting([]), 3, ignore, slower)
    assert [each.witness["speed"] for each in rounds.rounds] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("fails_at", [1, 4], ids=["in the warm-up", "in the third round"])
def test_a_peer_that_fails_is_left_out_and_the_others_go_on(fails_at: int) -> None:
    calls: list[str] = []
    rounds = interleave(counting(calls, fails_at, is_peer=True), ROUNDS, ignore, still)
    assert rounds.failed == {"theirs": "OSError: gone"}
    assert rounds.values("theirs.count") is None
    assert len(rounds.values("ours.count") or []) == ROUNDS
    assert calls.count("theirs") == fails_at


def test_our_own_failure_ends_the_run_by_name() -> None:
    with pytest.raises(RuntimeError, match=r"theirs could not be measured: OSError: gone"):
        interleave(counting([], fails_at=3), ROUNDS, ignore, still)


def test_a_value_that_is_no_number_is_a_failure() -> None:
    with pytest.raises(RuntimeError, match=r"broken could not be measured: ValueError: rate is nan"):
        interleave([Arm("broken", lambda: {"rate": float("nan")})], 1, ignore, still)


def test_a_figure_that_is_missing_from_a_round_has_no_values() -> None:
    calls: list[str] = []

    def sometimes() -> dict[str, float]:
        calls.append("")
        return {"rate": 1.0} if len(calls) % 2 else {}

    assert interleave([Arm("sometimes", sometimes)], 4, ignore, still).values("sometimes.rate") is None


TWICE: Callable[[], dict[str, float]] = dict


@pytest.mark.parametrize(
    ("arms", "count"), [([], 7), ([Arm("same", TWICE), Arm("same", TWICE)], 7), ([Arm("one", TWICE)], 0)], ids=str
)
def test_nothing_to_do_and_names_that_clash_are_refused(arms: list[Arm], count: int) -> None:
    with pytest.raises(ValueError, match="different names and at least one round"):
        interleave(arms, count, ignore, still)


def test_the_real_witness_measures_three_things() -> None:
    found = witness()
    assert found.keys() == {"sha256_mib_per_s", "matmul_gflop_per_s", "fsync_ms"}
    assert all(value > 0 for value in found.values())
