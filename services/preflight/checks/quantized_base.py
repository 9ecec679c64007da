"""A model whose weights are stored quantized: only an adapter beside them can be trained."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding

from services.preflight import methods
from services.preflight.facts import Facts
from services.preflight.findings import error


def check(facts: Facts) -> Iterator[Finding]:
    """QUANTIZED_BASE_BLOCKS_FULL."""
    model = facts.base_model
    if model is None or not model.quantized or facts.configuration.method.type != methods.FULL:
        return
    method = methods.first_acting(facts.provider, methods.QLORA, methods.LORA)
    text = (
        f"{model.display_name} is stored quantized, and quantized weights can't be trained; "
        "train an adapter with LORA or QLORA, or choose the original model"
    )
    fix = methods.to_method(facts.configuration, method) if method is not None else None
    yield error("QUANTIZED_BASE_BLOCKS_FULL", "method.type", text, fix)
