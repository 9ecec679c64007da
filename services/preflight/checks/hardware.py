"""Whether what was asked for to train on is there."""

from collections.abc import Iterator

from tunesmith.pool.v1.pool_pb2 import DEVICE_KIND_CUDA, Pool
from tunesmith.preflight.v1.finding_pb2 import Finding, Fix

from services.preflight.devices import find, suggestions
from services.preflight.facts import Facts
from services.preflight.findings import fix, note, put, remove, warning
from services.preflight.placement import matching, pools_of
from workers.providers.provider import NeverActs

TYPE, COUNT = "hardware.gpu_type", "hardware.num_gpus"


def check(facts: Facts) -> Iterator[Finding]:
    """NO_POOL, GPU_TYPE_UNKNOWN, NO_SUCH_DEVICE."""
    pools, hardware = pools_of(facts), facts.configuration.hardware
    if facts.provider is not None and not pools:
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
    elif not name and hardware.num_gpus and pools and not any(_gpus(pool) for pool in pools):
        text = f"no pool has a GPU, and {hardware.num_gpus} were asked for{_have(pools)}. {_both_ways(facts)}"
        yield warning("NO_SUCH_DEVICE", COUNT, text, _switch(facts))


def _gpus(pool: Pool) -> int:
    return sum(device.kind == DEVICE_KIND_CUDA for device in pool.devices)


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
