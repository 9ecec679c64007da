"""Which of the pool's devices train, and how they share the work."""

from tunesmith.config.v1 import hardware_pb2

from workers.providers.needs import Needs, needs_of
from workers.providers.provider import DROPPED, REFUSED, SENT, JobConfiguration, Lowered, Rule

Strategy = hardware_pb2.DistributionStrategy

DDP, FSDP = hardware_pb2.DISTRIBUTION_STRATEGY_DDP, hardware_pb2.DISTRIBUTION_STRATEGY_FSDP
ZERO_STAGES: dict[Strategy, int] = {
    hardware_pb2.DISTRIBUTION_STRATEGY_ZERO_1: 1,
    hardware_pb2.DISTRIBUTION_STRATEGY_ZERO_2: 2,
    hardware_pb2.DISTRIBUTION_STRATEGY_ZERO_3: 3,
}
NAMES: dict[Strategy, str] = {
    DDP: "DDP: each process holds the whole model and gets its own rows",
    FSDP: "FSDP: weights, gradients and optimiser states are split over the processes",
    **{strategy: f"DeepSpeed ZeRO {stage}, where deepspeed is installed" for strategy, stage in ZERO_STAGES.items()},
}
# In parameters: below the first each GPU holds the model, above the second only DeepSpeed does.
SHARDED_FROM, DEEPSPEED_ABOVE = 7_000_000_000, 70_000_000_000


def strategy(resolved: JobConfiguration, parameter_count: int) -> Strategy:
    """How several processes share the work: as it was asked for, or by the model's size; unknown is small."""
    if resolved.hardware.HasField("strategy"):
        return resolved.hardware.strategy
    if parameter_count < SHARDED_FROM:
        return DDP
    return FSDP if parameter_count <= DEEPSPEED_ABOVE else hardware_pb2.DISTRIBUTION_STRATEGY_ZERO_3


def _is_shared(needs: Needs) -> bool:
    return max(needs.gpu_count or 0, needs.process_count) > 1


def _gpu_type(resolved: JobConfiguration) -> list[Lowered]:
    if needs_of(resolved).gpu_count == 0:
        return [Lowered(DROPPED, "hardware.num_gpus is 0, so no GPU is looked for; remove one of the two")]
    return [Lowered(SENT, f"only a pool with a GPU of the name {resolved.hardware.gpu_type} takes the job")]


def _num_gpus(resolved: JobConfiguration) -> list[Lowered]:
    count = resolved.hardware.num_gpus
    if count == 0:
        return [Lowered(SENT, "trains on a pool's CPU, whatever else it has")]
    if count == 1:
        return [Lowered(SENT, "waits for a pool with a GPU")]
    return [
        Lowered(
            SENT, f"waits for a pool that has {count} GPUs free at once; {count} processes train on schedule.batch_size rows each"
        )
    ]


def _strategy(resolved: JobConfiguration) -> list[Lowered]:
    if not _is_shared(needs_of(resolved)):
        return [Lowered(DROPPED, "one process trains, so there is nothing to distribute; set hardware.num_gpus, or remove it")]
    return [Lowered(SENT, NAMES[resolved.hardware.strategy])]


def _gpu_share(resolved: JobConfiguration) -> list[Lowered]:
    share, needs = resolved.hardware.gpu_share, needs_of(resolved)
    if needs.gpu_count == 0:
        return [Lowered(DROPPED, "hardware.num_gpus is 0, so there is no GPU to share; remove one of the two")]
    if share == 1:
        return [Lowered(SENT, "the GPU is the job's alone")]
    if _is_shared(needs):
        return [Lowered(REFUSED, "it is a share of one GPU, and several processes take whole ones; remove one of the two")]
    text = f"the job takes {share:g} of a GPU; torch's allocator gives it no more of its memory, and others train beside it"
    return [Lowered(SENT, text)]


def _num_processes(resolved: JobConfiguration) -> list[Lowered]:
    count = resolved.hardware.num_processes
    if count == 1:
        return [Lowered(SENT, "one process trains")]
    return [Lowered(SENT, f"{count} processes train on schedule.batch_size rows each: on the pool's CPU, or on a GPU each")]


RULES: dict[str, Rule] = {
    "hardware.gpu_type": _gpu_type,
    "hardware.num_gpus": _num_gpus,
    "hardware.strategy": _strategy,
    "hardware.gpu_share": _gpu_share,
    "hardware.num_processes": _num_processes,
}
