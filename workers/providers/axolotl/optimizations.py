"""What is switched on to save memory or time."""

from typing import Any

from tunesmith.config.v1 import optimizations_pb2 as features

from workers.providers.axolotl.method import is_dpo
from workers.providers.local.rules import chosen
from workers.providers.provider import CONVERTED, DROPPED, Choices, JobConfiguration, Lowered, Rule

LIGER = "axolotl.integrations.liger.LigerPlugin"
_LIGER_ARGUMENTS = ("liger_rope", "liger_rms_norm", "liger_glu_activation")

OPTIMIZATIONS = Choices(
    {
        features.OPTIMIZATION_FEATURE_FLASH_ATTENTION: "Axolotl gets attn_implementation='flash_attention_2'",
        features.OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING: "Axolotl gets gradient_checkpointing=True",
        features.OPTIMIZATION_FEATURE_OPTIMIZER_8BIT: "bitsandbytes' AdamW keeps its states in 8 bits",
        features.OPTIMIZATION_FEATURE_PAGED_OPTIMIZER: "bitsandbytes' paged AdamW",
        features.OPTIMIZATION_FEATURE_FUSED_KERNELS: "Axolotl gets its Liger plugin",
        features.OPTIMIZATION_FEATURE_SEQUENCE_PACKING: "Axolotl gets sample_packing=True, and keeps rows apart",
        features.OPTIMIZATION_FEATURE_DYNAMIC_PADDING: "Axolotl gets pad_to_sequence_len=False",
        features.OPTIMIZATION_FEATURE_ACTIVATION_OFFLOADING: "Axolotl gets activation_offloading=True",
        features.OPTIMIZATION_FEATURE_LENGTH_GROUPING: "Axolotl gets group_by_length=True",
    },
    {},
    DROPPED,
)


def arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """As Axolotl's schema has it."""
    enabled = set(resolved.optimizations.enabled)

    def has(name: str) -> bool:
        return features.OptimizationFeature.Value(f"OPTIMIZATION_FEATURE_{name}") in enabled

    offloading = has("ACTIVATION_OFFLOADING")
    given: dict[str, Any] = {"attn_implementation": "flash_attention_2" if has("FLASH_ATTENTION") else "sdpa"}
    if has("GRADIENT_CHECKPOINTING") or offloading:
        given |= {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
    if offloading:
        given["activation_offloading"] = True
    if has("FUSED_KERNELS"):
        given |= {"plugins": [LIGER], **dict.fromkeys(_LIGER_ARGUMENTS, True)}
        given |= {} if is_dpo(resolved) else {"liger_fused_linear_cross_entropy": True}
    if not is_dpo(resolved):
        given |= _batches(resolved, packing=has("SEQUENCE_PACKING"), grouping=has("LENGTH_GROUPING"))
    return given


def _batches(resolved: JobConfiguration, *, packing: bool, grouping: bool) -> dict[str, Any]:
    dynamic = features.OPTIMIZATION_FEATURE_DYNAMIC_PADDING in resolved.optimizations.enabled
    return {"sample_packing": packing, "pad_to_sequence_len": not dynamic} | ({"group_by_length": True} if grouping else {})


# What trl's preference trainer, which Axolotl takes for DPO, has no way to do.
_NOT_WITH_DPO = {
    features.OPTIMIZATION_FEATURE_SEQUENCE_PACKING: "Axolotl does not pack preference pairs; remove it",
    features.OPTIMIZATION_FEATURE_LENGTH_GROUPING: "Axolotl does not group preference pairs; remove it",
}


def _enabled(resolved: JobConfiguration) -> list[Lowered]:
    enabled = set(resolved.optimizations.enabled)
    return [
        _with_name(feature, _became(resolved, enabled, feature), f"[{index}]")
        for index, feature in enumerate(resolved.optimizations.enabled)
    ]


def _became(resolved: JobConfiguration, enabled: set[Any], feature: features.OptimizationFeature) -> Lowered:
    if is_dpo(resolved) and feature in _NOT_WITH_DPO:
        return Lowered(DROPPED, _NOT_WITH_DPO[feature])
    alone = features.OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING not in enabled
    if feature == features.OPTIMIZATION_FEATURE_ACTIVATION_OFFLOADING and alone:
        return Lowered(CONVERTED, "Axolotl offloads what gradient_checkpointing keeps, and gets that too")
    return chosen(OPTIMIZATIONS, feature)


def _with_name(feature: Any, became: Lowered, suffix: str) -> Lowered:
    name = features.OptimizationFeature.Name(feature).removeprefix("OPTIMIZATION_FEATURE_")
    return Lowered(became.action, f"{name}: {became.detail}", suffix)


RULES: dict[str, Rule] = {"optimizations.enabled": _enabled}
