"""How the processes of a training share the work, as transformers' trainers are told."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from tunesmith.config.v1 import hardware_pb2

from services.chassis.errors import FailedPrecondition
from workers.providers.local.hardware import DDP, FSDP, ZERO_STAGES, Strategy
from workers.providers.local.plan import TrainingPlan

# What transformers calls AdamW where each process may keep a part of its states; bitsandbytes' packs them by whole tensors.
_SPLITTABLE = ("adamw_torch", "adamw_torch_fused")


@dataclass(frozen=True)
class Sharing:
    """A strategy with the trainer's arguments for it."""

    # For people.
    name: str
    arguments: dict[str, Any]
    # Whether no process has all weights or optimiser states.
    splits: bool


def sharing(strategy: Strategy, plan: TrainingPlan, *, on_gpu: bool) -> Sharing:
    """The trainer's arguments for a strategy. Raises FailedPrecondition if this pool or this plan can't be trained so."""
    if strategy == DDP:
        # What transformers does by itself where there is a process group.
        return Sharing("DDP", {}, splits=False)
    name = "FSDP" if strategy == FSDP else f"DeepSpeed ZeRO {ZERO_STAGES[strategy]}"
    _refuse(name, strategy, plan, on_gpu=on_gpu)
    if strategy == FSDP:
        return Sharing(name, {"fsdp": True, "fsdp_config": dict(_FSDP)}, splits=True)
    return Sharing(name, {"deepspeed": _deepspeed(ZERO_STAGES[strategy])}, splits=True)


# FSDP2: a layer's weights are gathered when it runs, and let go behind it.
_FSDP = {"version": 2, "auto_wrap_policy": "TRANSFORMER_BASED_WRAP", "reshard_after_forward": True}


def _deepspeed(stage: int) -> dict[str, Any]:
    """DeepSpeed's configuration, the rest of it taken from the trainer's arguments."""
    return {
        "zero_optimization": {"stage": stage, "stage3_gather_16bit_weights_on_model_save": stage == 3},
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "bf16": {"enabled": "auto"},
        # The optimiser is torch's own, which the trainer makes.
        "zero_allow_untested_optimizer": True,
    }


def _refuse(name: str, strategy: Strategy, plan: TrainingPlan, *, on_gpu: bool) -> None:
    ddp = f"set hardware.strategy to {hardware_pb2.DistributionStrategy.Name(DDP).removeprefix('DISTRIBUTION_STRATEGY_')}"
    if strategy in ZERO_STAGES and find_spec("deepspeed") is None:
        text = f"{name} needs the package deepspeed, which this pool does not have; install it there, or {ddp} or FSDP"
        raise FailedPrecondition("DEEPSPEED_MISSING", text)
    if not on_gpu:
        raise FailedPrecondition("STRATEGY_NEEDS_GPUS", f"{name} splits a model over GPUs, and this job trains on a CPU; {ddp}")
    if plan.trainer["optim"] not in _SPLITTABLE:
        text = f"{name} can't split an 8-bit or paged optimiser; remove OPTIMIZER_8BIT and PAGED_OPTIMIZER, or {ddp}"
        raise FailedPrecondition("OPTIMIZER_NOT_SPLITTABLE", text)
    if plan.keeps_best:
        text = f"no process has all weights with {name}, so the best can't be kept; set schedule.keep_best to false, or {ddp}"
        raise FailedPrecondition("BEST_NOT_KEPT", text)
