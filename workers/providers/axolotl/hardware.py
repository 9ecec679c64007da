"""How several GPUs share the work."""

from typing import Any

from tunesmith.config.v1 import hardware_pb2

from workers.providers.provider import CONVERTED, SENT, JobConfiguration, Lowered, Rule, dropped

_ZERO_STAGES = {
    hardware_pb2.DISTRIBUTION_STRATEGY_ZERO_1: 1,
    hardware_pb2.DISTRIBUTION_STRATEGY_ZERO_2: 2,
    hardware_pb2.DISTRIBUTION_STRATEGY_ZERO_3: 3,
}
_ALL_DEVICES = "Axolotl is started on all GPUs of the pool that leases the job"
# What DeepSpeed takes from the trainer.
_FROM_THE_TRAINER = ("train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "train_batch_size", "gradient_clipping")


def arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """As Axolotl's schema has it."""
    strategy = resolved.hardware.strategy
    if strategy == hardware_pb2.DISTRIBUTION_STRATEGY_FSDP:
        wrapping = {"auto_wrap_policy": "TRANSFORMER_BASED_WRAP", "state_dict_type": "FULL_STATE_DICT"}
        return {"fsdp_version": 2, "fsdp_config": wrapping | {"reshard_after_forward": True}}
    if strategy in _ZERO_STAGES:
        settings: dict[str, Any] = {"zero_optimization": {"stage": _ZERO_STAGES[strategy]}, "bf16": {"enabled": "auto"}}
        return {"deepspeed": settings | dict.fromkeys(_FROM_THE_TRAINER, "auto")}
    return {}


def _strategy(resolved: JobConfiguration) -> list[Lowered]:
    given = arguments(resolved)
    if "deepspeed" in given:
        stage = given["deepspeed"]["zero_optimization"]["stage"]
        return [Lowered(CONVERTED, f"Axolotl gets settings of DeepSpeed with ZeRO stage {stage}")]
    if given:
        return [Lowered(CONVERTED, "Axolotl gets fsdp_version=2 and fsdp_config")]
    return [Lowered(SENT, "each GPU holds the whole model, as Axolotl does by itself")]


RULES: dict[str, Rule] = {
    "hardware.gpu_type": dropped(f"{_ALL_DEVICES}; run a pool on the GPU you want"),
    "hardware.num_gpus": dropped(f"{_ALL_DEVICES}; remove it"),
    "hardware.strategy": _strategy,
    "hardware.num_processes": dropped(f"{_ALL_DEVICES}, one process on each; remove it"),
    "hardware.gpu_share": dropped(f"{_ALL_DEVICES}, all of each; remove it"),
}
