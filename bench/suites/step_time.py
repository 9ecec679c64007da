"""Seconds of an optimiser step as a two-second probe lets one predict them, beside what a job's steps then take."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench.figures import Bar, Better, Figure
from bench.interleave import Arm
from bench.step_time.cases import SEEN, UNSEEN, Case
from bench.step_time.pair import Pairs
from bench.suite import Plan, Suite

WITHIN = Bar(at_least=0.85, at_most=1.15)
CASES = (*SEEN, *UNSEEN)


@contextmanager
def prepare(quick: bool) -> Iterator[Plan]:
    """One warm process; every pair begins with a probe of its own, so that both meet the machine in the same mood."""
    with Pairs(CASES) as pairs:
        yield Plan([Arm(case.name, partial(pairs.measure, case)) for case in CASES])


def _pair(case: Case, kind: str) -> Figure:
    name = f"{case.name.replace('_', ' ')}, predicted / measured, {kind}"
    return Figure(name, "", f"{case.name}.predicted_s", Better.LOWER, (WITHIN,), beside=(f"{case.name}.measured_s",))


SUITE = Suite(
    name="step_time",
    title="Step time: predicted after a probe, and measured, on shapes of 5 to 60 million parameters",
    prepare=prepare,
    distributions=("torch", "transformers", "peft", "trl"),
    figures=(
        *(_pair(case, "seen") for case in SEEN),
        *(_pair(case, "unseen") for case in UNSEEN),
        Figure("the probe itself", "s", f"{SEEN[0].name}.probe_s", Better.LOWER),
    ),
)
