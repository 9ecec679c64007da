"""What a probe measures with, and that it comes to an end."""

from collections.abc import Iterator

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from tunesmith.pool.v1 import device_measurement_pb2, pool_pb2

from workers.training import probe, probing
from workers.training.probe import BLOCK_BYTES_PER_ELEMENT, BLOCK_OPERATIONS, Probe, chain
from workers.training.probing import Probing

VIEWS = {"view", "expand", "detach", "alias", "transpose", "t", "unsqueeze"}


class Counting(TorchDispatchMode):
    """Counts operations and the bytes that they read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ not in VIEWS:
            self.operations += 1
            self.bytes += sum(one.numel() * one.element_size() for one in (*args, out) if isinstance(one, torch.Tensor))
        return out


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sizes that take no time."""
    monkeypatch.setattr(probe, "ROWS", (16,))
    monkeypatch.setattr(probe, "MATRICES", ((8, 16), (16, 8)))
    monkeypatch.setattr(probe, "CHAINS", ((64, 64, 2), (128, 128, 2)))
    monkeypatch.setattr(probe, "ATTENTION_TOKENS", 16)
    monkeypatch.setattr(probe, "STREAM_BYTES", 1 << 16)
    monkeypatch.setattr(probe, "_REPEAT_S", 0.0)
    yield


def counted(blocks: int, size: int) -> Counting:
    start = torch.randn(size, size, requires_grad=True)
    back = torch.ones_like(start)
    with Counting() as counting:
        chain(start, blocks).backward(back)
    return counting


def test_a_block_moves_and_starts_what_the_constants_say() -> None:
    size = 256
    one, two = counted(1, size), counted(2, size)
    assert two.operations - one.operations == pytest.approx(BLOCK_OPERATIONS, abs=1)
    assert (two.bytes - one.bytes) / size**2 == pytest.approx(BLOCK_BYTES_PER_ELEMENT, rel=0.02)


@pytest.mark.usefixtures("_small")
def test_a_probe_finds_every_figure_a_little_at_a_time() -> None:
    one = Probe("cpu", 7)
    slices = 0
    while (found := one.advance(0.0)) is None:
        slices += 1
        assert slices < 100
    assert slices >= 8
    assert {(rate.precision, rate.m, rate.n, rate.k) for rate in found.matmul_rates} == {
        (precision, 16, n, k)
        for precision in (device_measurement_pb2.MATMUL_PRECISION_FP32, device_measurement_pb2.MATMUL_PRECISION_BF16)
        for n, k in ((8, 16), (16, 8))
    }
    assert all(rate.flops_per_second > 0 for rate in found.matmul_rates)
    assert found.idle_bytes == 7
    figures = ("memory_bytes_per_second", "operation_seconds", "probe_seconds", "attention_flops_per_second")
    for name in (*figures, "random_numbers_per_second", "fresh_bytes_per_second"):
        assert getattr(found, name) > 0, name


@pytest.mark.usefixtures("_small")
def test_a_probe_leaves_the_random_numbers_as_they_are() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    one = Probe("cpu", 0)
    while one.advance(1.0) is None:
        pass
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.usefixtures("_small")
def test_a_machine_without_a_gpu_measures_its_processor() -> None:
    device = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CPU, name="chip")
    one = Probing([device], lambda: 5)
    while (found := one.advance(1.0)) is None:
        pass
    assert [each.name for each in found] == ["chip"]
    assert found[0].measurement.idle_bytes == 5


def test_of_gpus_each_kind_is_measured_once_and_the_processor_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    class Done:
        def advance(self, seconds: float) -> device_measurement_pb2.DeviceMeasurement:
            return device_measurement_pb2.DeviceMeasurement(operation_seconds=begun[-1] + 1)

    def begin(index: int, held: object) -> Done:
        begun.append(index)
        return Done()

    monkeypatch.setattr(probing, "_begin", begin)
    cuda = pool_pb2.DEVICE_KIND_CUDA
    devices = [
        pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CPU, name="chip"),
        *(pool_pb2.Device(kind=cuda, name=name) for name in ("A", "A", "B")),
    ]
    one = Probing(devices, lambda: 0)
    assert one.advance(1.0) is None
    found = one.advance(1.0)
    assert found is not None
    assert sorted(begun) == [0, 2]
    assert [each.measurement.operation_seconds for each in found] == [0, 1, 1, 3]
    assert not found[0].HasField("measurement")
