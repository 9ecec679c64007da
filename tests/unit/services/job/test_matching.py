"""Which job a slot of a pool is given: one that its hardware is enough for."""

import pytest
from tunesmith.pool.v1 import pool_pb2, pool_service_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from tests.unit.services.job.conftest import CONFIGURATION, POOL, House
from workers.providers.needs import Needs, fits, needs_of, same_gpu

CPU = door.SlotOffer(kind=pool_pb2.DEVICE_KIND_CPU, device_name="a processor")
BESIDE_GPUS = door.SlotOffer(kind=pool_pb2.DEVICE_KIND_CPU, device_name="a processor", only_without_gpu=True)


def gpu(name: str = "NVIDIA A100-SXM4-80GB", free_share: float = 1, count: int = 1) -> door.SlotOffer:
    return door.SlotOffer(kind=pool_pb2.DEVICE_KIND_CUDA, device_name=name, free_share=free_share, gpu_count=count)


async def create(house: House, **hardware: object) -> str:
    made = await house.create(configuration=CONFIGURATION | {"hardware": hardware}, accept_warnings=True)
    return made.id


async def lease(house: House, offer: door.SlotOffer) -> str:
    """The id of the job that a slot is given; empty if it is given none."""
    await house.register()
    answer = await house.worker.Lease(door.LeaseRequest(pool_id=POOL, offer=offer))
    return answer.assignment.lease.job_id


async def test_a_job_that_asks_for_a_gpu_waits_for_one_while_others_pass(house: House) -> None:
    for_gpu = await create(house, num_gpus=1)
    anywhere = await create(house)
    assert await lease(house, CPU) == anywhere
    assert await lease(house, CPU) == ""
    assert await lease(house, gpu()) == for_gpu


async def test_a_slot_without_an_offer_takes_any(house: House) -> None:
    job = await create(house, num_gpus=1)
    await house.register()
    assert (await house.worker.Lease(door.LeaseRequest(pool_id=POOL))).assignment.lease.job_id == job


async def test_the_one_that_has_waited_longest_is_found_behind_many_that_do_not_fit(house: House) -> None:
    for _ in range(3):
        await create(house, gpu_type="H100")
    fitting = [await create(house, gpu_type="A100"), await create(house, gpu_type="A100")]
    assert [await lease(house, gpu()), await lease(house, gpu()), await lease(house, gpu())] == [*fitting, ""]


async def test_a_pool_says_how_many_jobs_it_runs_at_once(house: House) -> None:
    request = door.RegisterPoolRequest(pool_id=POOL, providers=["local"], ready=True, slot_count=4)
    await house.worker.RegisterPool(request)
    (pool,) = (await house.pools.ListPools(pool_service_pb2.ListPoolsRequest())).pools
    assert pool.slot_count == 4


@pytest.mark.parametrize(
    ("needs", "offer", "expected"),
    [
        (Needs(), CPU, True),
        (Needs(), BESIDE_GPUS, False),
        (Needs(), gpu(), True),
        (Needs(), gpu(free_share=0.5), False),
        (Needs(gpu_count=0), CPU, True),
        (Needs(gpu_count=0), BESIDE_GPUS, True),
        (Needs(gpu_count=0), gpu(), False),
        (Needs(gpu_count=1), CPU, False),
        (Needs(gpu_count=1), gpu(), True),
        (Needs(gpu_count=2), gpu(count=1), False),
        (Needs(gpu_count=2), gpu(count=4), True),
        (Needs(process_count=2), CPU, True),
        (Needs(process_count=2), gpu(count=1), False),
        (Needs(process_count=2), gpu(count=2), True),
        (Needs(gpu_count=1, gpu_share=0.5), gpu(free_share=0.5), True),
        (Needs(gpu_count=1, gpu_share=0.6), gpu(free_share=0.5), False),
        (Needs(gpu_count=1, gpu_share=0.5), CPU, False),
        (Needs(gpu_type="H100", gpu_count=1), gpu(), False),
        (Needs(gpu_type="a100", gpu_count=1), gpu(), True),
    ],
)
def test_what_fits(needs: Needs, offer: door.SlotOffer, expected: bool) -> None:
    assert fits(needs, offer) is expected


@pytest.mark.parametrize(
    ("asked", "device", "expected"),
    [
        ("A100", "NVIDIA A100-SXM4-80GB", True),
        ("nvidia a100 80gb", "NVIDIA A100-SXM4-80GB", True),
        ("A100-SXM4-40GB", "NVIDIA A100-SXM4-80GB", False),
        ("A10", "NVIDIA A100-SXM4-80GB", False),
        ("RTX 3060", "NVIDIA GeForce RTX 3060", True),
        ("RTX3060", "NVIDIA GeForce RTX 3060", True),
        ("GeForce RTX 3060 Ti", "NVIDIA GeForce RTX 3060", False),
        ("L4", "NVIDIA L40S", False),
        ("A100", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", True),
        ("---", "NVIDIA A100-SXM4-80GB", False),
    ],
)
def test_a_gpu_goes_by_the_words_of_its_name(asked: str, device: str, expected: bool) -> None:
    assert same_gpu(asked, device) is expected


@pytest.mark.parametrize(
    ("hardware", "needs"),
    [
        ({}, Needs()),
        ({"num_gpus": 0}, Needs(gpu_count=0)),
        ({"num_gpus": 4}, Needs(gpu_count=4)),
        ({"gpu_type": "A100"}, Needs("A100", 1)),
        ({"gpu_type": "A100", "num_processes": 2}, Needs("A100", 2, process_count=2)),
        ({"gpu_share": 0.25}, Needs(gpu_count=1, gpu_share=0.25)),
        ({"num_processes": 2}, Needs(process_count=2)),
    ],
)
async def test_what_a_configuration_asks_for(house: House, hardware: dict[str, object], needs: Needs) -> None:
    made = await house.create(configuration=CONFIGURATION | {"hardware": hardware}, accept_warnings=True)
    assert needs_of(made.resolved_configuration) == needs
