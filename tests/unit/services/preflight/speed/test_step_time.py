"""Seconds of a step on a device whose rates are known, and what changes them."""

import pytest
from tunesmith.pool.v1 import pool_pb2
from tunesmith.preflight.v1 import estimate_pb2

from services.preflight.devices import find
from services.preflight.estimate.batch import batch_of
from services.preflight.estimate.operations import BF16, FP32, Operations
from services.preflight.estimate.speed import Speed
from services.preflight.estimate.step_time import optimizer_operations, pass_operations, step_seconds
from tests.unit.services.preflight.speed.runs import FP32_RATE, MEMORY_RATE, measured, run, speed


def test_a_step_takes_at_least_what_its_products_take() -> None:
    workload = run("FULL")
    made = pass_operations(workload, batch_of(workload))
    computing = made.flops / FP32_RATE
    assert computing < step_seconds(workload, speed()) < 3 * computing


def test_the_optimizer_reads_and_writes_every_weight_and_gradient() -> None:
    workload = run("FULL")
    # Weight, gradient and two states read, all but the gradient written, and the gradient clipped: ten times four bytes.
    assert optimizer_operations(workload).streamed_bytes == pytest.approx(40 * workload.architecture.parameter_count)
    small = run("FULL", "FP32", "OPTIMIZER_8BIT")
    assert optimizer_operations(small).streamed_bytes == pytest.approx(28 * workload.architecture.parameter_count)


def test_what_is_more_work_takes_longer() -> None:
    base = step_seconds(run("LORA"), speed())
    assert step_seconds(run("FULL"), speed()) > 1.3 * base
    assert step_seconds(run("LORA", "FP32", "GRADIENT_CHECKPOINTING"), speed()) > 1.2 * base
    assert step_seconds(run("LORA", batch_size=8), speed()) == pytest.approx(2 * base, rel=0.1)
    assert step_seconds(run("LORA", gradient_accumulation=4), speed()) == pytest.approx(4 * base, rel=0.1)
    assert step_seconds(run("LORA", lora={"rank": 16, "dropout": 0.1}), speed()) > 1.02 * base
    assert step_seconds(run("LORA", "BF16"), speed()) < 0.7 * base


def test_a_batch_is_as_long_as_its_longest_row_on_average() -> None:
    padded = batch_of(run(row_tokens=300, mean_tokens=100.0))
    # Lengths spread evenly from -100 … 300 about 100: the longest of four lies three fifths of the way up.
    assert padded.tokens == pytest.approx(100 + 200 * 3 / 5)
    assert padded.trained_tokens == 400
    assert batch_of(run(row_tokens=300, mean_tokens=100.0, batch_size=1)).tokens == 100


def test_rates_between_measured_sizes_lie_between_theirs() -> None:
    device = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CPU, name="chip")
    device.measurement.memory_bytes_per_second = MEMORY_RATE
    # What can't be is left out: pools say what they like.
    device.measurement.matmul_rates.add(precision=FP32, m=256, n=512, k=512, flops_per_second=0)
    device.measurement.memory_rates.add(bytes=0, bytes_per_second=1)
    for m, n, k, rate in ((256, 8, 512, 10e9), (256, 512, 512, 100e9), (4096, 512, 512, 200e9), (4096, 8, 512, 20e9)):
        device.measurement.matmul_rates.add(precision=FP32, m=m, n=n, k=k, flops_per_second=rate)
    found = speed(device)
    assert found.product_rate(256, 512, 512, FP32) == pytest.approx(100e9)
    assert 100e9 < found.product_rate(1024, 512, 512, FP32) < 200e9
    # Outside of what was measured, the nearest size counts.
    assert found.product_rate(1 << 20, 1 << 20, 1 << 20, FP32) == pytest.approx(200e9)
    moved = Operations()
    moved.move(1e9, 1e6)
    assert found.seconds(moved) == pytest.approx(1e9 / MEMORY_RATE)
    # A precision that was not measured goes by float32.
    assert found.product_rate(256, 512, 512, BF16) == pytest.approx(100e9)


def test_memory_moves_at_the_rate_of_its_size() -> None:
    device = measured()
    device.measurement.memory_rates[2].bytes_per_second = MEMORY_RATE / 10
    found = speed(device)

    def seconds(each: float) -> float:
        made = Operations()
        made.move(1e9, each)
        return found.seconds(made)

    assert seconds(1 << 10) == pytest.approx(1e9 / MEMORY_RATE)
    assert seconds(1 << 30) == pytest.approx(1e10 / MEMORY_RATE)
    assert 1e9 / MEMORY_RATE < seconds(1 << 22) < 1e10 / MEMORY_RATE


def test_on_an_accelerator_starting_hides_behind_computing() -> None:
    spec = find("H200")
    assert spec is not None
    found = speed(spec.device())
    assert found.source == estimate_pb2.SPEED_SOURCE_DEVICE_TABLE
    work = Operations(streamed_bytes=spec.memory_bandwidth)
    alone = found.seconds(work)
    work.started = 100
    assert found.seconds(work) == alone
    work.started = 1e9
    assert found.seconds(work) > 100 * alone


def test_of_an_unknown_gpu_nothing_is_said() -> None:
    assert Speed.of(pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CUDA, name="Commodore 64")) is None


def test_a_processor_that_was_not_measured_has_an_error_to_match() -> None:
    found = speed(pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CPU, name="chip", core_count=2))
    assert found.error == 0.5
    assert "not measured itself yet" in found.remark
    assert 0 < step_seconds(run(), found) < 600


def test_a_device_without_bfloat16_multiplies_in_half_precision() -> None:
    spec = find("T4")
    assert spec is not None
    assert speed(spec.device()).product_rate(4096, 4096, 4096, BF16) > 2 * spec.fp32_flops
