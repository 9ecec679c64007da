"""Which pool and device a job would get."""

from collections.abc import Iterator

from tunesmith.pool.v1.pool_pb2 import DEVICE_KIND_CUDA, POOL_STATE_LOST, POOL_STATE_READY, Device, Pool

from services.preflight.devices import find
from services.preflight.facts import Facts
from services.preflight.prediction import Place
from workers.providers.provider import NeverActs


def pools_of(facts: Facts) -> list[Pool]:
    """Pools that take the provider's jobs and were heard of lately."""
    return [pool for pool in facts.pools if facts.provider_id in pool.providers and pool.state != POOL_STATE_LOST]


def matching(facts: Facts, gpu_type: str) -> list[tuple[Pool, Device]]:
    """The devices of pools that go by a name, however it is written."""
    spec = find(gpu_type)
    asked = gpu_type.casefold()

    def is_it(device: Device) -> bool:
        return asked in device.name.casefold() or (spec is not None and find(device.name) is spec)

    return [(pool, device) for pool, device in _devices(facts) if device.kind == DEVICE_KIND_CUDA and is_it(device)]


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
    found = list(_devices(facts))
    return _of_pool(facts, *_best(found)) if found else None


def _devices(facts: Facts) -> Iterator[tuple[Pool, Device]]:
    for pool in pools_of(facts):
        for device in pool.devices:
            yield pool, device


def _best(found: list[tuple[Pool, Device]]) -> tuple[Pool, Device]:
    """One that is ready, on a GPU if there is one, with the most memory."""
    return max(found, key=lambda one: (one[0].state == POOL_STATE_READY, one[1].kind == DEVICE_KIND_CUDA, one[1].memory_bytes))


def _of_pool(facts: Facts, pool: Pool, device: Device) -> Place:
    measured = "measured by itself" if device.HasField("measurement") else "as it was registered"
    # What the provider does not let one choose is one device.
    choosable = facts.provider is not None and not isinstance(facts.provider.rules.get("hardware.num_gpus"), NeverActs)
    count = max(1, facts.configuration.hardware.num_gpus) if choosable else 1
    detail = f"{device.name or 'a device'} of pool {pool.display_name or pool.id}, {measured}"
    return Place(device, count, pool, find(device.name) if device.kind == DEVICE_KIND_CUDA else None, detail)
