"""Engines that are not installed with Tunesmith: which a pool may be given, and what each wants in its environment."""

from dataclasses import dataclass

from tunesmith.config.v1 import method_pb2, model_pb2

from workers.providers.execution import quantization_bits
from workers.providers.provider import JobConfiguration

SETTING = "TUNESMITH_ENGINES"
# What only frozen weights are stored in.
QUANTIZED = (model_pb2.MODEL_PRECISION_INT4, model_pb2.MODEL_PRECISION_INT8)


@dataclass(frozen=True)
class Engine:
    """An engine in an environment of its own, which Ray makes at its first job and keeps."""

    provider: str
    # As `uv pip install` takes them; pinned, because the translation is written for one version.
    packages: tuple[str, ...]
    # Whether it runs without a GPU at all.
    needs_gpu: bool


ENGINES: dict[str, Engine] = {
    engine.provider: engine
    for engine in (
        Engine("axolotl", ("axolotl==0.19.0",), needs_gpu=True),
        Engine("unsloth", ("unsloth==2026.10.9",), needs_gpu=True),
    )
}


def wanted(provider: str) -> str:
    """What makes a pool take an engine's jobs, as the end of a sentence."""
    where = "on a machine with a GPU" if ENGINES[provider].needs_gpu else "on a machine"
    return f"start an agent with {SETTING}={provider} {where}, or use provider local"


def bits_of(resolved: JobConfiguration) -> int:
    """Bits of a frozen weight; 0 if none is quantized. LoRA over quantized weights is QLoRA by another name."""
    if resolved.method.type == method_pb2.TRAINING_METHOD_LORA and resolved.model.precision in QUANTIZED:
        return 8 if resolved.model.precision == model_pb2.MODEL_PRECISION_INT8 else 4
    return quantization_bits(resolved)
