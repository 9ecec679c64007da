"""What a machine says of its GPUs and their partitions."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from workers import partitions
from workers.partitions import Gpu, is_partition, parse, partitions_of

# As `nvidia-smi -L` of driver 550 says it, and of driver 450, whose partitions are named by their GPU.
PARTITIONED = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
  MIG 3g.20gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 1g.5gb      Device  1: (UUID: MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-1f2c0b3a-0000-1111-2222-333344445555)
"""
OLDER = """\
GPU 0: A100-SXM4-40GB (UUID: GPU-e86cb44c-6756-fd30-cd4a-1e6da3caf9b0)
  MIG 1c.2g.10gb Device 0: (UUID: MIG-GPU-e86cb44c-6756-fd30-cd4a-1e6da3caf9b0/3/0)
"""


def test_partitions_are_listed_below_their_gpu() -> None:
    gpus = parse(PARTITIONED)
    parts = ("MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f", "MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb")
    assert gpus == [Gpu(0, "NVIDIA A100-SXM4-40GB", parts), Gpu(1, "NVIDIA A100-SXM4-40GB", ())]
    assert partitions_of(gpus) == list(parts)
    assert all(is_partition(part) for part in parts)


def test_an_older_driver_names_partitions_by_their_gpu() -> None:
    assert parse(OLDER) == [Gpu(0, "A100-SXM4-40GB", ("MIG-GPU-e86cb44c-6756-fd30-cd4a-1e6da3caf9b0/3/0",))]


@pytest.mark.parametrize("listing", ["", "No devices found.\n", "NVIDIA-SMI has failed because it couldn't communicate\n"])
def test_a_machine_without_gpus_has_none(listing: str) -> None:
    assert parse(listing) == []


@pytest.mark.parametrize("visible", ["", "0", "0,1", "GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77", "MIG-a,MIG-b"])
def test_what_is_no_partition(visible: str) -> None:
    assert not is_partition(visible)


class _Failed(Exception):
    pass


def _library() -> Any:
    """As NVIDIA's: a partitioned GPU with an empty place between two parts, and one that can't be partitioned."""

    def mode(handle: int) -> tuple[int, int]:
        if handle == 1:
            raise _Failed
        return 1, 1

    def part(handle: int, place: int) -> str:
        if place == 1:
            raise _Failed
        return f"MIG-{handle}-{place}"

    return SimpleNamespace(
        NVMLError=_Failed,
        NVML_DEVICE_MIG_ENABLE=1,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda handle: b"NVIDIA A100-SXM4-40GB" if handle == 0 else "NVIDIA L4",
        nvmlDeviceGetMigMode=mode,
        nvmlDeviceGetMaxMigDeviceCount=lambda handle: 3,
        nvmlDeviceGetMigDeviceHandleByIndex=part,
        nvmlDeviceGetUUID=lambda handle: handle,
    )


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made = _library()
    monkeypatch.setattr(partitions, "import_module", lambda name: made)
    yield made


def test_the_drivers_library_is_asked_first(library: Any) -> None:
    assert partitions.listed() == [Gpu(0, "NVIDIA A100-SXM4-40GB", ("MIG-0-0", "MIG-0-2")), Gpu(1, "NVIDIA L4", ())]


def test_a_driver_that_is_not_there_is_no_trouble(library: Any) -> None:
    def fail() -> None:
        raise _Failed

    library.nvmlInit = fail
    assert partitions.listed() == []
