"""What is reported: a number a round, its unit, and the bar it has to clear."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from bench.interleave import Rounds
from bench.intervals import Estimate, estimate


class Better(StrEnum):
    """Which of two values is the good one."""

    LOWER = "lower"
    HIGHER = "higher"


class Comparison(StrEnum):
    """What is made of a value and the one it is compared with, both of the same round."""

    RATIO = "ratio"
    DIFFERENCE = "difference"


@dataclass(frozen=True)
class Bar:
    """A promise: a figure's median, or the worse end of its interval, is not beyond a limit.

    Bars come from the issue that asks for them. A figure that falls short is written down; its bar stays.
    """

    at_most: float | None = None
    at_least: float | None = None
    of_worse_end: bool = False

    def __post_init__(self) -> None:
        if self.at_most is None and self.at_least is None:
            raise ValueError("a bar needs a limit: set at_most, at_least or both")

    def words(self, unit: str) -> str:
        limits = [f"{sign} {limit:,g}" for sign, limit in (("≥", self.at_least), ("≤", self.at_most)) if limit is not None]
        return f"{'interval ' if self.of_worse_end else ''}{' and '.join(limits)} {unit}".strip()

    def misses(self, found: Estimate) -> float:
        """How far beyond the limit, in the figure's unit; 0 if it holds."""
        high, low = (found.high, found.low) if self.of_worse_end else (found.median, found.median)
        above = high - self.at_most if self.at_most is not None else 0.0
        below = self.at_least - low if self.at_least is not None else 0.0
        return max(above, below, 0.0)

    def is_crossed(self, found: Estimate) -> bool:
        """Whether the interval reaches to both sides of a limit, so that another run may judge otherwise."""
        return any(limit is not None and found.low <= limit <= found.high for limit in (self.at_most, self.at_least))


@dataclass(frozen=True)
class Figure:
    """A measured value, or what a value is beside another of the same round. Names of values are `arm.figure`.

    With several names in `beside`, the one whose median is best is taken: a peer is met in its best form.
    """

    title: str
    unit: str
    value: str
    better: Better
    bars: tuple[Bar, ...] = ()
    beside: tuple[str, ...] = ()
    comparison: Comparison = Comparison.RATIO


@dataclass(frozen=True)
class Outcome:
    """What became of a figure: a value a round with their estimate, or why there is none."""

    figure: Figure
    formula: str
    values: tuple[float, ...] = ()
    estimate: Estimate | None = None
    missing: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether every bar is cleared; None without a bar or a value."""
        if self.estimate is None or not self.figure.bars:
            return None
        return all(bar.misses(self.estimate) == 0 for bar in self.figure.bars)

    def verdict(self) -> str:
        """In words, with how much is missing where something is."""
        if self.estimate is None:
            return f"not measured: {self.missing}"
        if self.holds is None:
            return f"beside {self.formula.split()[-1]}" if self.figure.beside else ""
        found = self.estimate
        missed = [(bar.words(self.figure.unit), bar.misses(found)) for bar in self.figure.bars if bar.misses(found) > 0]
        notes = [f"misses {words} by {number(miss)}" for words, miss in missed]
        if any(bar.is_crossed(found) and not bar.of_worse_end for bar in self.figure.bars):
            notes.append("the interval reaches across the bar")
        return ("holds" if self.holds else "falls short") + (f": {'; '.join(notes)}" if notes else "")


def number(value: float) -> str:
    """Three digits that count, and whole thousands in full."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def outcome(figure: Figure, rounds: Rounds, absent: dict[str, str]) -> Outcome:
    """A figure's value in each round. `absent` says of arms that were left out why."""
    why = rounds.failed | absent
    own = rounds.values(figure.value)
    if own is None:
        return Outcome(figure, figure.value, missing=_why(figure.value, why))
    if not figure.beside:
        return Outcome(figure, figure.value, tuple(own), estimate(own))
    found = {name: other for name in figure.beside if (other := rounds.values(name)) is not None}
    if not found:
        return Outcome(figure, figure.value, missing="; ".join(dict.fromkeys(_why(name, why) for name in figure.beside)))
    best = _best(found, figure.better)
    values = tuple(_compared(figure.comparison, own, found[best]))
    sign = "/" if figure.comparison is Comparison.RATIO else "-"
    return Outcome(figure, f"{figure.value} {sign} {best}", values, estimate(values))


def _best(found: dict[str, list[float]], better: Better) -> str:
    medians = {name: estimate(values).median for name, values in found.items()}
    return min(medians, key=lambda name: medians[name] if better is Better.LOWER else -medians[name])


def _compared(comparison: Comparison, own: Sequence[float], other: Sequence[float]) -> Iterator[float]:
    for ours, theirs in zip(own, other, strict=True):
        match comparison:
            case Comparison.RATIO:
                yield ours / theirs
            case Comparison.DIFFERENCE:
                yield ours - theirs
            case _:
                assert_never(comparison)


def _why(name: str, why: dict[str, str]) -> str:
    arm = name.partition(".")[0]
    return why.get(arm, f"no arm gave {name} in every round")
