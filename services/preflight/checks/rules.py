"""The configuration's own rules: what has to be there, and every range."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding

from services.preflight.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """REQUIRED_FIELD, OUT_OF_RANGE, UNKNOWN_VALUE, and each rule between fields by its own name."""
    yield from facts.broken_rules
