"""Arms measured in turn, round after round, so that a slow minute of the machine meets all of them alike."""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from bench.witness import witness

WARM_UP_ROUNDS = 1


@dataclass(frozen=True)
class Arm:
    """One thing that is measured: each call measures once and answers figures whose names end in their unit."""

    name: str
    measure: Callable[[], Mapping[str, float]]
    # Whether the others go on being measured if this one fails: a peer's trouble isn't ours.
    is_peer: bool = False


@dataclass(frozen=True)
class Round:
    """What one round gave. `values` are named `arm.figure`."""

    order: list[str]
    values: dict[str, float]
    witness: dict[str, float]
    load_average: float
    # Of the cores' time, what the host gave to somebody else.
    steal_share: float
    seconds: float


@dataclass
class Rounds:
    """Every round, the warm-up left out, and the peers that failed, each with its reason."""

    rounds: list[Round] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def values(self, name: str) -> list[float] | None:
        """A figure's value in each round; None if it was not measured in every one."""
        found = [each.values[name] for each in self.rounds if name in each.values]
        return found if found and len(found) == len(self.rounds) else None


def interleave(
    arms: Sequence[Arm],
    count: int,
    tell: Callable[[str], object],
    take_witness: Callable[[], dict[str, float]] = witness,
) -> Rounds:
    """Measure every arm once a round, forwards and backwards by turns (A B, B A, ...), after a warm-up round that is dropped.

    Raises ValueError if there is nothing to do or two arms share a name, RuntimeError if an arm that is no peer fails.
    A peer that fails is left out from then on, and its earlier values with it.
    """
    names = [arm.name for arm in arms]
    if not arms or len(set(names)) < len(names) or count < 1:
        raise ValueError(f"needs arms of different names and at least one round; got {names} and {count} rounds")
    outcome = Rounds()
    for index in range(WARM_UP_ROUNDS + count):
        order = [arm for arm in (arms if index % 2 == 0 else arms[::-1]) if arm.name not in outcome.failed]
        measured = _round(order, outcome.failed, take_witness)
        if index >= WARM_UP_ROUNDS:
            outcome.rounds.append(measured)
        label = f"round {index - WARM_UP_ROUNDS + 1} of {count}" if index >= WARM_UP_ROUNDS else "warm-up round"
        tell(f"{label}: {measured.seconds:.1f} s, {' '.join(measured.order)}")
    return outcome


def _round(order: Sequence[Arm], failed: dict[str, str], take_witness: Callable[[], dict[str, float]]) -> Round:
    seen, load = take_witness(), os.getloadavg()[0]
    begin, before = time.monotonic(), psutil.cpu_times()
    values: dict[str, float] = {}
    for arm in order:
        try:
            values |= {f"{arm.name}.{name}": _checked(name, value) for name, value in arm.measure().items()}
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            if not arm.is_peer:
                raise RuntimeError(f"{arm.name} could not be measured: {why}") from error
            failed[arm.name] = why
    names = [arm.name for arm in order if arm.name not in failed]
    return Round(names, values, seen, load, _steal_share(before), time.monotonic() - begin)


def _checked(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}")
    return float(value)


def _steal_share(before: Any) -> float:
    now = psutil.cpu_times()
    spent = sum(now[:8]) - sum(before[:8])
    return (now.steal - before.steal) / spent if spent > 0 else 0.0
