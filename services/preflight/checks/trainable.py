"""Whether the base model can be tuned at all."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding

from services.preflight.facts import Facts
from services.preflight.findings import error


def check(facts: Facts) -> Iterator[Finding]:
    """GGUF_NOT_TRAINABLE, BASE_MODEL_NOT_TRAINABLE."""
    model = facts.base_model
    if model is None:
        return
    if model.gguf:
        text = (
            f"GGUF models cannot be trained. Use original format. {model.display_name} is a GGUF file; register its safetensors"
        )
        yield error("GGUF_NOT_TRAINABLE", "model.base_model", text)
    elif not model.trainable:
        text = f"{model.display_name} can't be trained; GET /v1/base-models lists those that can"
        yield error("BASE_MODEL_NOT_TRAINABLE", "model.base_model", text)
