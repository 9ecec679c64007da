"""What is made of the values of a round, and how a bar judges it."""

import pytest

from bench.figures import Bar, Better, Comparison, Figure, outcome
from bench.interleave import Round, Rounds

OURS = [1.0, 1.2, 1.1, 1.3, 1.0, 1.4, 1.2]
THEIRS = [2.0, 2.4, 2.2, 2.6, 2.0, 2.8, 2.4]
FASTER = [4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]


def rounds(**arms: list[float]) -> Rounds:
    each = [{f"{arm}.x": values[index] for arm, values in arms.items()} for index in range(len(OURS))]
    return Rounds([Round([*arms], values, {"speed": 1.0}, 0.0, 0.0, 1.0) for values in each])


def figure(*bars: Bar, beside: tuple[str, ...] = (), better: Better = Better.LOWER) -> Figure:
    return Figure("x", "s", "ours.x", better, bars, beside)


def test_a_value_has_its_median_and_interval() -> None:
    found = outcome(figure(), rounds(ours=OURS), {})
    assert found.estimate is not None
    assert (found.estimate.median, found.estimate.low, found.estimate.high) == (1.2, 1.0, 1.4)
    assert found.holds is None
    assert found.verdict() == ""


def test_a_ratio_is_taken_within_a_round() -> None:
    # The machine is slower in some rounds; the ratio is the same in each.
    found = outcome(figure(beside=("theirs.x",)), rounds(ours=OURS, theirs=THEIRS), {})
    assert found.estimate is not None
    assert (found.estimate.low, found.estimate.high) == (pytest.approx(0.5), pytest.approx(0.5))
    assert found.formula == "ours.x / theirs.x"


def test_a_difference_is_taken_within_a_round() -> None:
    asked = Figure("x", "s", "theirs.x", Better.LOWER, (), ("ours.x",), Comparison.DIFFERENCE)
    found = outcome(asked, rounds(ours=OURS, theirs=THEIRS), {})
    assert found.values == pytest.approx(OURS)
    assert found.formula == "theirs.x - ours.x"


@pytest.mark.parametrize(("better", "best"), [(Better.LOWER, "theirs.x"), (Better.HIGHER, "faster.x")], ids=str)
def test_a_peer_is_met_in_its_best_form(better: Better, best: str) -> None:
    asked = figure(beside=("theirs.x", "faster.x"), better=better)
    assert outcome(asked, rounds(ours=OURS, theirs=THEIRS, faster=FASTER), {}).formula == f"ours.x / {best}"


def test_a_peer_that_is_not_there_is_named() -> None:
    why = {"theirs": "MLflow is not installed"}
    found = outcome(figure(beside=("theirs.x",)), rounds(ours=OURS), why)
    assert found.estimate is None
    assert found.verdict() == "not measured: MLflow is not installed"


def test_a_peer_that_failed_in_one_form_is_met_in_the_other() -> None:
    measured = rounds(ours=OURS, theirs=THEIRS)
    measured.failed["faster"] = "OSError: gone"
    assert outcome(figure(beside=("faster.x", "theirs.x")), measured, {}).formula == "ours.x / theirs.x"


@pytest.mark.parametrize(
    ("bar", "holds", "verdict"),
    [
        (Bar(at_most=1.5), True, "holds"),
        (Bar(at_most=1.2), True, "holds: the interval reaches across the bar"),
        (Bar(at_most=1.1), False, "falls short: misses ≤ 1.1 s by 0.1; the interval reaches across the bar"),
        (Bar(at_most=0.5), False, "falls short: misses ≤ 0.5 s by 0.7"),
        (Bar(at_least=1.5), False, "falls short: misses ≥ 1.5 s by 0.3"),
        (Bar(at_least=0.8, at_most=1.5), True, "holds"),
        (Bar(at_most=1.3, of_worse_end=True), False, "falls short: misses interval ≤ 1.3 s by 0.1"),
        (Bar(at_least=1.1, of_worse_end=True), False, "falls short: misses interval ≥ 1.1 s by 0.1"),
        (Bar(at_most=1.4, of_worse_end=True), True, "holds"),
    ],
    ids=str,
)
def test_a_bar_judges_the_median_or_the_worse_end(bar: Bar, holds: bool, verdict: str) -> None:
    found = outcome(figure(bar), rounds(ours=OURS), {})
    assert (found.holds, found.verdict()) == (holds, verdict)


def test_every_bar_has_to_be_cleared() -> None:
    found = outcome(figure(Bar(at_most=1.3), Bar(at_most=1.3, of_worse_end=True)), rounds(ours=OURS), {})
    assert found.holds is False
    assert "misses interval ≤ 1.3 s by 0.1" in found.verdict()


def test_a_bar_needs_a_limit() -> None:
    with pytest.raises(ValueError, match="needs a limit"):
        Bar()
