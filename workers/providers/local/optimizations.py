"""What is switched on to save memory or time."""

from typing import Any

from tunesmith.config.v1 import method_pb2, optimizations_pb2

from workers.providers.execution import FUSED_ADAMW, optimizer_name
from workers.providers.local.rules import chosen
from workers.providers.provider import DROPPED, Choices, JobConfiguration, Lowered, Rule

_PACKING = optimizations_pb2.OPTIMIZATION_FEATURE_SEQUENCE_PACKING
_GROUPING = optimizations_pb2.OPTIMIZATION_FEATURE_LENGTH_GROUPING
_DYNAMIC = optimizations_pb2.OPTIMIZATION_FEATURE_DYNAMIC_PADDING
_FLASH = optimizations_pb2.OPTIMIZATION_FEATURE_FLASH_ATTENTION
_KERNELS = optimizations_pb2.OPTIMIZATION_FEATURE_FUSED_KERNELS
_OFFLOADING = optimizations_pb2.OPTIMIZATION_FEATURE_ACTIVATION_OFFLOADING

# What depends on the worker's device says so: the recipe looks there, and tells the job what runs instead (see
# workers.training.device_features).
SENT_OPTIMIZATIONS = {
    optimizations_pb2.OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING: "the trainer gets activation_checkpointing=True",
    optimizations_pb2.OPTIMIZATION_FEATURE_OPTIMIZER_8BIT: (
        "bitsandbytes' AdamW keeps its states in 8 bits; tensors of fewer than 4,096 elements keep 32"
    ),
    optimizations_pb2.OPTIMIZATION_FEATURE_PAGED_OPTIMIZER: (
        "bitsandbytes' paged AdamW; on a CPU its states are in main memory from the start"
    ),
    _DYNAMIC: "a batch is padded to its longest row",
    _PACKING: ("rows share sequences of up to sequence_length tokens and don't see each other; batch_size counts such sequences"),
    _GROUPING: "rows of about the same length share a batch, which is padded to its longest row",
    _FLASH: (
        "attn_implementation='flash_attention_2' on a GPU whose worker has the flash-attn package and 16-bit arithmetic; "
        "elsewhere torch's scaled dot product attention, and the job says so"
    ),
    _KERNELS: (
        "Liger's kernels for norms, rotations and activations on a GPU whose worker has liger-kernel; elsewhere the model's "
        "own, and the job says so; the loss is trl's fused one everywhere"
    ),
    _OFFLOADING: "activations wait in main memory where a GPU trains; on a CPU they are there already, and the job says so",
}
DROPPED_OPTIMIZATIONS: dict[optimizations_pb2.OptimizationFeature, str] = {}
OPTIMIZATIONS = Choices(SENT_OPTIMIZATIONS, DROPPED_OPTIMIZATIONS, DROPPED)

# Objectives whose rows are single texts of tokens.
_OF_TEXTS = {
    method_pb2.TRAINING_OBJECTIVE_SFT,
    method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING,
    method_pb2.TRAINING_OBJECTIVE_DISTILLATION,
}
_SOFT_PROMPTS = {
    method_pb2.TRAINING_METHOD_PROMPT_TUNING,
    method_pb2.TRAINING_METHOD_PREFIX_TUNING,
    method_pb2.TRAINING_METHOD_P_TUNING,
}


def packs(resolved: JobConfiguration) -> bool:
    """Whether rows share sequences."""
    return _PACKING in resolved.optimizations.enabled and _why_idle(resolved, _PACKING) is None


def groups(resolved: JobConfiguration) -> bool:
    """Whether rows of about the same length share a batch."""
    return _GROUPING in resolved.optimizations.enabled and _why_idle(resolved, _GROUPING) is None


def arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """For the trainer's configuration."""
    enabled = set(resolved.optimizations.enabled)
    checkpointing = optimizations_pb2.OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING in enabled
    given: dict[str, Any] = {
        "packing": packs(resolved),
        "optim": optimizer_name(enabled, FUSED_ADAMW),
        # What transformers calls gradient checkpointing from version 6 on; trl would switch it on by itself.
        "activation_checkpointing": checkpointing,
        "activation_checkpointing_kwargs": {"use_reentrant": False} if checkpointing else None,
    }
    if packs(resolved) or groups(resolved):
        # A batch that was padded to the sequence length would have gained nothing.
        given["pad_to_multiple_of"] = None
    if groups(resolved):
        given["train_sampling_strategy"] = "group_by_length"
    if _OFFLOADING in enabled and _why_idle(resolved, _OFFLOADING) is None:
        given["activation_offloading"] = True
    if _KERNELS in enabled:
        given["use_liger_kernel"] = True
    return given


def loading(resolved: JobConfiguration) -> dict[str, Any]:
    """For `from_pretrained`."""
    return {"attn_implementation": "flash_attention_2"} if _FLASH in resolved.optimizations.enabled else {}


def _why_idle(resolved: JobConfiguration, feature: int) -> str | None:
    """Why a feature that is on does nothing beside the rest of the configuration; None if it acts."""
    method = resolved.method
    objective = method_pb2.TrainingObjective.Name(method.objective).removeprefix("TRAINING_OBJECTIVE_")
    if feature == _PACKING and method.objective not in _OF_TEXTS:
        return f"an example of {objective} is not one text that could share a sequence; remove it, or use DYNAMIC_PADDING"
    if feature == _PACKING and method.type in _SOFT_PROMPTS:
        return "a soft prompt stands before every row, and a packed row has only one beginning; use LENGTH_GROUPING"
    if feature == _GROUPING and method.objective not in _OF_TEXTS:
        return f"an example of {objective} has no one length to go by; remove it, or use DYNAMIC_PADDING"
    if feature in (_GROUPING, _DYNAMIC) and packs(resolved):
        return "SEQUENCE_PACKING leaves no padding to save; remove it"
    if feature == _OFFLOADING and method.objective == method_pb2.TRAINING_OBJECTIVE_CLASSIFICATION:
        return "the classifying trainer keeps activations on the device; use GRADIENT_CHECKPOINTING"
    return None


def _enabled(resolved: JobConfiguration) -> list[Lowered]:
    lowered = []
    for index, feature in enumerate(resolved.optimizations.enabled):
        became = chosen(OPTIMIZATIONS, feature)
        idle = _why_idle(resolved, feature)
        if idle is not None:
            became = Lowered(DROPPED, idle)
        name = optimizations_pb2.OptimizationFeature.Name(feature).removeprefix("OPTIMIZATION_FEATURE_")
        lowered.append(Lowered(became.action, f"{name}: {became.detail}", f"[{index}]"))
    return lowered


RULES: dict[str, Rule] = {"optimizations.enabled": _enabled}
