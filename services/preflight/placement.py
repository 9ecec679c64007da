"""Which pool and device a job would get."""

from collections.abc import Iterator

from tunesmith.pool.v1.pool_pb2 import DEVICE_KIND_CUDA, POOL_STATE_LOST, POOL_STATE_READY, Device, Pool

from services.preflight.devices import find
from services.preflight.facts import Facts
from services.preflight.prediction import Place
from workers.providers.asked import needs_for
from workers.providers.needs import processes_on, same_gpu


def pools_of(facts: Facts) -> list[Pool]:
    """Pools that take the provider's jobs and were heard of lately."""
    return [pool for pool in facts.pools if facts.provider_id in pool.providers and pool.state != POOL_STATE_LOST]


def matching(facts: Facts, gpu_type: str) -> list[tuple[Pool, Device]]:
    """The devices of pools that go by a name, as the queue goes by it."""
    found = _devices(facts)
    return [(pool, device) for pool, device in found if device.kind == DEVICE_KIND_CUDA and same_gpu(gpu_type, device.name)]


def place(facts: Facts) -> Place | None:
    """The hardware that was asked for, whether or not a pool has it; otherwise the best that a pool has."""
    hardware = facts.configuration.hardware
    if hardware.gpu_type:
        found = matching(facts, hardware.gpu_type)
        if found:
            return _of_pool(facts, *_best(found))
        spec = find(hardware.gpu_type)
        if spec is not None:
            count = max(1, hardware.num_gpus)
            detail = f"no pool has a {spec.name}; its figures are its maker's, for a plain loop of transformers and peft"
            return Place(spec.device(), count, None, spec, detail)
    found = [(pool, device) for pool, device in _devices(facts) if _wanted(facts, device)]
    return _of_pool(facts, *_best(found)) if found else None


def _wanted(facts: Facts, device: Device) -> bool:
    """Whether the queue would give such a device: a job that asks for no GPU gets none, and one that asks for some waits."""
    count = needs_for(facts.provider_id, facts.configuration).gpu_count
    return count is None or (count > 0) == (device.kind == DEVICE_KIND_CUDA)


def _devices(facts: Facts) -> Iterator[tuple[Pool, Device]]:
    for pool in pools_of(facts):
        for device in pool.devices:
            yield pool, device


def _best(found: list[tuple[Pool, Device]]) -> tuple[Pool, Device]:
    """One that is ready, on a GPU if there is one, with the most memory."""
    return max(found, key=lambda one: (one[0].state == POOL_STATE_READY, one[1].kind == DEVICE_KIND_CUDA, one[1].memory_bytes))


def _of_pool(facts: Facts, pool: Pool, device: Device) -> Place:
    measured = "measured by itself" if device.HasField("measurement") else "as it was registered"
    needs = needs_for(facts.provider_id, facts.configuration)
    count = processes_on(needs, gpu=device.kind == DEVICE_KIND_CUDA)
    detail = f"{device.name or 'a device'} of pool {pool.display_name or pool.id}, {measured}"
    return Place(device, count, pool, find(device.name) if device.kind == DEVICE_KIND_CUDA else None, detail)
