"""Rows that are much shorter than the sequence length, and padded up to it."""

from collections.abc import Iterator

from google.protobuf.json_format import MessageToDict
from tunesmith.config.v1 import optimizations_pb2
from tunesmith.preflight.v1.finding_pb2 import Finding

from services.preflight import methods
from services.preflight.facts import Facts
from services.preflight.findings import fix, note, put

PATH = "optimizations.enabled"
# Below this the padding costs less than it is worth saying.
LEAST_SHARE = 0.5
_DYNAMIC = optimizations_pb2.OPTIMIZATION_FEATURE_DYNAMIC_PADDING
_WITHOUT_PADDING = frozenset(
    {
        _DYNAMIC,
        optimizations_pb2.OPTIMIZATION_FEATURE_SEQUENCE_PACKING,
        optimizations_pb2.OPTIMIZATION_FEATURE_LENGTH_GROUPING,
    }
)


def check(facts: Facts) -> Iterator[Finding]:
    """MOSTLY_PADDING."""
    enabled = facts.configuration.optimizations.enabled
    if any(feature in _WITHOUT_PADDING and methods.acts(facts.provider, PATH, feature) for feature in enabled):
        return
    length, mean = facts.row_ceiling, facts.mean_row_tokens
    if not mean or not methods.acts(facts.provider, PATH, _DYNAMIC):
        return
    share = 1 - min(mean, length) / length
    if share < LEAST_SHARE:
        return
    text = (
        f"rows have about {mean:.0f} tokens and are padded to {length}: {share:.0%} of what is computed is padding; "
        "with DYNAMIC_PADDING a batch is padded to its longest row only"
    )
    names = MessageToDict(facts.configuration.optimizations).get("enabled", [])
    kept = [name for name, feature in zip(names, enabled, strict=True) if methods.acts(facts.provider, PATH, feature)]
    yield note(
        "MOSTLY_PADDING", PATH, text, fix("Switch on dynamic padding", put(PATH, [*kept, "OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]))
    )
