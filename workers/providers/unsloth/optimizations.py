"""What is switched on to save memory or time; most of it Unsloth does anyway."""

from typing import Any

from tunesmith.config.v1 import optimizations_pb2 as features

from workers.providers.local.rules import chosen
from workers.providers.provider import DROPPED, Choices, JobConfiguration, Lowered, Rule

OPTIMIZATIONS = Choices(
    {
        features.OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING: "the loader gets use_gradient_checkpointing=True",
        features.OPTIMIZATION_FEATURE_OPTIMIZER_8BIT: "bitsandbytes' AdamW keeps its states in 8 bits",
        features.OPTIMIZATION_FEATURE_PAGED_OPTIMIZER: "bitsandbytes' paged AdamW",
        features.OPTIMIZATION_FEATURE_FUSED_KERNELS: "Unsloth's own kernels, which it always takes",
        features.OPTIMIZATION_FEATURE_SEQUENCE_PACKING: "the trainer gets packing=True, and Unsloth keeps rows apart",
        features.OPTIMIZATION_FEATURE_DYNAMIC_PADDING: "a batch is padded to its longest row",
        features.OPTIMIZATION_FEATURE_ACTIVATION_OFFLOADING: "the loader gets use_gradient_checkpointing='unsloth'",
    },
    {
        features.OPTIMIZATION_FEATURE_FLASH_ATTENTION: "Unsloth takes the fastest attention that is installed; remove it",
        features.OPTIMIZATION_FEATURE_LENGTH_GROUPING: "Unsloth's trainer draws rows whatever their length; use SEQUENCE_PACKING",
    },
    DROPPED,
)


def checkpointing(resolved: JobConfiguration) -> bool | str:
    """What the loader is told of activations: `unsloth` computes them again and keeps what it needs in main memory."""
    enabled = resolved.optimizations.enabled
    if features.OPTIMIZATION_FEATURE_ACTIVATION_OFFLOADING in enabled:
        return "unsloth"
    return features.OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING in enabled


def arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """For the trainer's configuration, over those of `local`."""
    enabled = resolved.optimizations.enabled
    packing = features.OPTIMIZATION_FEATURE_SEQUENCE_PACKING in enabled
    dynamic = packing or features.OPTIMIZATION_FEATURE_DYNAMIC_PADDING in enabled
    return {"packing": packing, "pad_to_multiple_of": None if dynamic else resolved.schedule.sequence_length}


def _enabled(resolved: JobConfiguration) -> list[Lowered]:
    lowered = []
    for index, feature in enumerate(resolved.optimizations.enabled):
        became = chosen(OPTIMIZATIONS, feature)
        name = features.OptimizationFeature.Name(feature).removeprefix("OPTIMIZATION_FEATURE_")
        lowered.append(Lowered(became.action, f"{name}: {became.detail}", f"[{index}]"))
    return lowered


RULES: dict[str, Rule] = {"optimizations.enabled": _enabled}
