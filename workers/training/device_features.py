"""What of a plan the device at hand can do. The plan is made where nobody knows the device; here is where that is decided."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import torch

from workers.providers.local.plan import TrainingPlan

FLASH_ATTENTION = "flash_attention_2"


@dataclass(frozen=True)
class Device:
    """What features ask of the device that trains and of what is installed beside it."""

    cuda: bool
    has_flash_attention: bool
    has_liger: bool

    @classmethod
    def here(cls) -> "Device":
        """This process's."""
        return cls(torch.cuda.is_available(), find_spec("flash_attn") is not None, find_spec("liger_kernel") is not None)


def fitted(plan: TrainingPlan, device: Device, warn: Callable[[str], None]) -> TrainingPlan:
    """The plan without what the device can't do. `warn` is told of each by name, with what runs instead."""
    weights, trainer = dict(plan.weights), dict(plan.trainer)
    if weights.get("attn_implementation") == FLASH_ATTENTION and (why := _no_flash(device, trainer, weights)):
        del weights["attn_implementation"]
        warn(f"FLASH_ATTENTION does not act: {why}; torch's scaled dot product attention runs instead")
    if trainer.get("use_liger_kernel") and (why := _no_liger(device)):
        del trainer["use_liger_kernel"]
        warn(f"FUSED_KERNELS does not act: {why}; the model's own kernels run instead, and trl's fused loss as ever")
    if trainer.get("activation_offloading") and not device.cuda:
        del trainer["activation_offloading"]
        warn(
            "ACTIVATION_OFFLOADING does not act: on a CPU activations are in main memory already; "
            "GRADIENT_CHECKPOINTING keeps fewer of them"
        )
    return replace(plan, weights=weights, trainer=trainer)


def _no_flash(device: Device, trainer: dict[str, Any], weights: dict[str, Any]) -> str | None:
    if not device.cuda:
        return "its kernels are made for GPUs, and this worker trains on a CPU"
    if not device.has_flash_attention:
        return "the flash-attn package is not installed where this worker runs"
    if not trainer["bf16"] and weights.get("dtype") == "float32":
        return "its kernels compute in 16 bits, and this job in 32"
    return None


def _no_liger(device: Device) -> str | None:
    if not device.cuda:
        return "Liger's kernels are made for GPUs, and this worker trains on a CPU"
    if not device.has_liger:
        return "the liger-kernel package is not installed where this worker runs"
    return None
