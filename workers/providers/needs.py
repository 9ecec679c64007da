"""What a job needs to run on, and whether a pool's slot has it: the job service and preflight go by the same words."""

import re
from dataclasses import dataclass

from tunesmith.pool.v1 import pool_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from workers.providers.provider import JobConfiguration

_WORD = re.compile(r"[a-z]+[a-z0-9]*|[0-9]+[a-z0-9]*")
# What stands before a name or not, whoever writes it.
_WORDS_OF_MAKERS = {"nvidia", "amd", "geforce", "tesla", "gpu"}


@dataclass(frozen=True)
class Needs:
    """What a job asks for. An export asks for nothing."""

    gpu_type: str = ""
    # None: one where there is one.
    gpu_count: int | None = None
    # Of the one GPU that it takes.
    gpu_share: float = 1.0
    # Processes on a CPU; on GPUs it is one for each.
    process_count: int = 1


def needs_of(configuration: JobConfiguration) -> Needs:
    """What a training job asks for."""
    hardware = configuration.hardware
    processes = hardware.num_processes if hardware.HasField("num_processes") else 1
    count: int | None = hardware.num_gpus if hardware.HasField("num_gpus") else None
    named = bool(hardware.gpu_type) or hardware.HasField("gpu_share")
    if count is None and named:
        # Who names a GPU wants one.
        count = processes
    share = hardware.gpu_share if hardware.HasField("gpu_share") else 1.0
    return Needs(hardware.gpu_type, count, share, processes)


def gpus_of(needs: Needs) -> int:
    """GPUs that the job takes of a slot on a GPU."""
    return needs.process_count if needs.gpu_count is None else needs.gpu_count


def processes_on(needs: Needs, *, gpu: bool) -> int:
    """Processes that share the job's training on a slot's device."""
    return max(1, gpus_of(needs)) if gpu else needs.process_count


def fits(needs: Needs, offer: worker.SlotOffer) -> bool:
    """Whether a slot has what a job needs.

    A job that asks for a GPU waits for one; one that asks for none leaves it to those that do.
    """
    if offer.kind != pool_pb2.DEVICE_KIND_CUDA:
        return needs.gpu_count == 0 or (needs.gpu_count is None and not offer.only_without_gpu)
    count = gpus_of(needs)
    if count == 0 or count > offer.gpu_count:
        return False
    if needs.gpu_type and not same_gpu(needs.gpu_type, offer.device_name):
        return False
    return needs.gpu_share <= offer.free_share


def same_gpu(asked: str, device_name: str) -> bool:
    """Whether a device goes by a name: each word of it is in the device's, however case, spaces and hyphens stand.

    `A100` is an `NVIDIA A100-SXM4-80GB` and `RTX3060` an `NVIDIA GeForce RTX 3060`; `A10` is not an `A100`.
    """
    has = _words(device_name)
    runs = {"".join(has[start:end]) for start in range(len(has)) for end in range(start + 1, len(has) + 1)}
    wanted = _words(asked)
    return bool(wanted) and all(word in runs for word in wanted)


def _words(name: str) -> list[str]:
    words = _WORD.findall(name.casefold())
    return [word for word in words if word not in _WORDS_OF_MAKERS] or words
