"""A learning rate that suits another method than the one that is chosen."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding, Fix

from services.preflight import methods
from services.preflight.checks.recommended_ranges import SMALL_MODEL_PARAMETERS
from services.preflight.facts import Facts
from services.preflight.findings import fix, note, put

PATH = "optimizer.learning_rate"
# An adapter starts at zero and has few weights: it wants about ten times the rate of full training.
SLOW_FOR_AN_ADAPTER, USUAL_FOR_AN_ADAPTER = 5e-5, 2e-4
FAST_FOR_ALL_WEIGHTS, USUAL_FOR_ALL_WEIGHTS = 1e-4, 2e-5


def check(facts: Facts) -> Iterator[Finding]:
    """LEARNING_RATE_LOW, LEARNING_RATE_HIGH."""
    rate, method = facts.configuration.optimizer.learning_rate, facts.configuration.method.type
    if method in methods.LOW_RANK and rate < SLOW_FOR_AN_ADAPTER:
        text = (
            f"{PATH} is {rate:g}; an adapter usually wants about {USUAL_FOR_AN_ADAPTER:g} and learns slowly "
            f"below {SLOW_FOR_AN_ADAPTER:g}"
        )
        yield note("LEARNING_RATE_LOW", PATH, text, _set(USUAL_FOR_AN_ADAPTER))
    # A small model has less to lose and is often trained from random weights.
    small = facts.base_model is not None and 0 < facts.base_model.parameter_count < SMALL_MODEL_PARAMETERS
    if method == methods.FULL and rate > FAST_FOR_ALL_WEIGHTS and not small:
        text = (
            f"{PATH} is {rate:g}; full training above {FAST_FOR_ALL_WEIGHTS:g} easily makes a model forget what it knew, "
            f"and about {USUAL_FOR_ALL_WEIGHTS:g} is usual"
        )
        yield note("LEARNING_RATE_HIGH", PATH, text, _set(USUAL_FOR_ALL_WEIGHTS))


def _set(rate: float) -> Fix:
    return fix(f"Set learning rate to {rate:g}", put(PATH, rate))
