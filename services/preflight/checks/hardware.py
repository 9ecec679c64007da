"""Whether what was asked for to train on is there."""

from collections.abc import Iterator

from tunesmith.pool.v1.pool_pb2 import DEVICE_KIND_CUDA, Pool
from tunesmith.preflight.v1.finding_pb2 import Finding, Fix

from services.preflight.devices import find, suggestions
from services.preflight.facts import Facts
from services.preflight.findings import error, fix, note, put, remove, warning
from services.preflight.placement import matching, pools_of
from workers.providers.asked import needs_for
from workers.providers.needs import same_gpu
from workers.providers.provider import NeverActs

TYPE, COUNT = "hardware.gpu_type", "hardware.num_gpus"


def check(facts: Facts) -> Iterator[Finding]:
    """NO_POOL, GPU_TYPE_UNKNOWN, NO_SUCH_DEVICE."""
    pools, hardware = pools_of(facts), facts.configuration.hardware
    if facts.provider is not None and facts.provider.wanted and not pools:
        # Nobody may ever come who has it, and a job that waits for ever says nothing.
        yield error("NO_POOL", "", f"no pool runs {facts.provider_id}; {facts.provider.wanted}")
    elif facts.provider is not None and not pools:
        text = f"no pool takes jobs of {facts.provider_id} now; the job waits in the queue until one comes (`make up` starts one)"
        yield note("NO_POOL", "", text)
    name = hardware.gpu_type
    if name and not matching(facts, name):
        if find(name) is None:
            yield warning("GPU_TYPE_UNKNOWN", TYPE, f"{name} is no GPU that is known here{_meant(name)}", _nearest(name))
        else:
            yield warning(
                "NO_SUCH_DEVICE", TYPE, f"no pool has the GPU {name}{_have(pools)}. {_both_ways(facts)}", _switch(facts)
            )
        return
    asked = needs_for(facts.provider_id, facts.configuration).gpu_count or 0
    most = max((_gpus(pool, name) for pool in pools), default=0)
    if pools and most < asked:
        has = f"no pool has more than {most} of them" if most else "no pool has a GPU"
        text = f"{asked} {'GPU was' if asked == 1 else 'GPUs were'} asked for, and {has}{_have(pools)}. {_both_ways(facts)}"
        yield warning("NO_SUCH_DEVICE", COUNT if hardware.num_gpus else _path(facts), text, _switch(facts))


def _path(facts: Facts) -> str:
    """The field that asks for a GPU without saying how many."""
    return "hardware.gpu_share" if facts.configuration.hardware.HasField("gpu_share") else TYPE


def _gpus(pool: Pool, name: str) -> int:
    """GPUs of a name, or all of them."""
    gpus = [device for device in pool.devices if device.kind == DEVICE_KIND_CUDA]
    return sum(not name or same_gpu(name, gpu.name) for gpu in gpus)


def _have(pools: list[Pool]) -> str:
    names = sorted({device.name or "a device without a name" for pool in pools for device in pool.devices})
    return f" (there are: {', '.join(names)})" if names else ""


def _both_ways(facts: Facts) -> str:
    """Queue anyway, or switch."""
    chosen = facts.provider is not None and not isinstance(facts.provider.rules.get(TYPE), NeverActs)
    queue = "it waits for a pool that has it" if chosen else "it waits for a pool, and takes whichever comes"
    return f"Accept the warning to queue the job anyway: {queue}; or remove the hardware section to train on what there is"


def _switch(facts: Facts) -> Fix:
    hardware = facts.submitted.hardware
    return fix("Train on what there is", *(remove(f"hardware.{field.name}") for field, _ in hardware.ListFields()))


def _meant(name: str) -> str:
    near = suggestions(name)
    return f"; did you mean {' or '.join(near)}?" if near else "; remove it, or write it as its maker does: NVIDIA A100"


def _nearest(name: str) -> Fix:
    near = suggestions(name, 1)
    return fix(f"Set the GPU to {near[0]}", put(TYPE, near[0])) if near else fix("Remove the GPU type", remove(TYPE))
