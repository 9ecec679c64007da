"""What was named and is not there: provider, base model, datasets, recipe, adapters."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding

from services.preflight.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """PROVIDER_UNKNOWN, BASE_MODEL_NOT_FOUND, DATASET_NOT_FOUND, RECIPE_NOT_FOUND, ADAPTER_NOT_FOUND, LOOKUP_FAILED."""
    yield from facts.missing
