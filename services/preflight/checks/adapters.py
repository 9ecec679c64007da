"""Adapters that are to be used with the base model: trained on it, complete, and such that they can be added up."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding
from tunesmith.registry.v1 import adapter_pb2

from services.preflight.facts import Facts
from services.preflight.findings import error

PATH = "model.base_model"


def check(facts: Facts) -> Iterator[Finding]:
    """ADAPTER_BASE_DIFFERS, ADAPTER_NOT_READY, ADAPTER_RANK_TOO_LARGE, ADAPTER_REPEATED, ADAPTERS_NOT_COMPOSABLE."""
    model, adapters = facts.base_model, [adapter for _, adapter in facts.adapters]
    seen: set[str] = set()
    for adapter in adapters:
        if adapter.id in seen:
            yield error(
                "ADAPTER_REPEATED", PATH, f"the adapter {adapter.display_name} is named twice; name it once, with one weight"
            )
        seen.add(adapter.id)
        if model is not None and adapter.base_model_id != model.id:
            text = f"the adapter {adapter.display_name} was trained on another base model than {model.display_name}"
            yield error("ADAPTER_BASE_DIFFERS", PATH, f"{text}; choose one of its own")
        if adapter.status != adapter_pb2.ADAPTER_STATUS_READY:
            why = f": {adapter.error}" if adapter.error else ""
            status = adapter_pb2.AdapterStatus.Name(adapter.status).removeprefix("ADAPTER_STATUS_")
            yield error(
                "ADAPTER_NOT_READY", PATH, f"the adapter {adapter.display_name} is {status}{why}; choose one that is READY"
            )
        hidden = model.architecture.hidden_size if model is not None else 0
        if 0 < hidden <= adapter.rank:
            text = f"the adapter {adapter.display_name} has rank {adapter.rank}, and the model's hidden size is {hidden}"
            yield error("ADAPTER_RANK_TOO_LARGE", PATH, f"{text}; it can't fit")
    others = [adapter.display_name for adapter in adapters if adapter.type != adapter_pb2.ADAPTER_TYPE_LORA]
    if len(adapters) > 1 and others:
        text = f"only LoRA adapters can be added up, and {', '.join(others)} is of another type; use it alone"
        yield error("ADAPTERS_NOT_COMPOSABLE", PATH, text)
