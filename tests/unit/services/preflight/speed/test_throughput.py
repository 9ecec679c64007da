"""Throughput, duration, cost."""

import pytest
from tunesmith.pool.v1 import pool_pb2
from tunesmith.preflight.v1 import estimate_pb2

from services.preflight.devices import find
from services.preflight.estimate.cost import TokenPrice, device_cost, hosted_cost
from services.preflight.estimate.duration import duration_seconds
from services.preflight.estimate.residuals import Residuals
from services.preflight.estimate.steps import total_steps
from services.preflight.estimate.throughput import estimate_throughput
from services.preflight.estimate.workload import Workload
from tests.unit.services.preflight.speed.runs import run
from tests.unit.services.preflight.speed.test_residuals import job


def throughput(workload: Workload, residuals: Residuals | None = None) -> estimate_pb2.ThroughputEstimate:
    found = estimate_throughput(workload, None, residuals)
    assert found is not None
    return found


def test_tokens_and_rows_a_second_leave_padding_out() -> None:
    found = throughput(run(row_tokens=300, mean_tokens=100.0))
    assert found.samples_per_second == pytest.approx(4 / found.step_seconds)
    assert found.tokens_per_second == pytest.approx(400 / found.step_seconds)
    assert found.speed_source == estimate_pb2.SPEED_SOURCE_PROBE
    assert found.low_step_seconds == pytest.approx(0.85 * found.step_seconds)
    assert found.high_step_seconds == pytest.approx(1.15 * found.step_seconds)


@pytest.mark.parametrize(
    ("rows", "options", "steps"),
    [
        (100, {"epochs": 3}, 75),
        (101, {"epochs": 1}, 26),
        (101, {"epochs": 2, "gradient_accumulation": 4}, 14),
        (101, {"max_steps": 7}, 7),
        (None, {"max_steps": 7}, 7),
        (None, {"epochs": 3}, None),
    ],
)
def test_steps_are_counted_as_the_trainer_counts_them(rows: int | None, options: dict[str, int], steps: int | None) -> None:
    workload = run(rows=rows, **options)
    assert total_steps(workload) == steps
    assert throughput(workload).total_steps == (steps or 0)


def test_packed_rows_share_sequences() -> None:
    spec = find("H100")
    assert spec is not None
    # local's trainer packs nothing; a plain loop does.
    from dataclasses import replace

    alone = run(rows=1000, device=spec.device(), row_tokens=1024, mean_tokens=256.0, epochs=1)
    packed = replace(alone, execution=replace(alone.execution, packing=True, dynamic_padding=False))
    assert total_steps(packed) == pytest.approx(1000 / 16, abs=1)
    assert throughput(packed).tokens_per_second > 1.3 * throughput(alone).tokens_per_second


def test_enough_finished_jobs_correct_the_estimate() -> None:
    workload = run()
    alone = throughput(workload)
    few = throughput(workload, Residuals([job("chip", step=2.0) for _ in range(4)]))
    assert few.step_seconds == alone.step_seconds
    enough = throughput(workload, Residuals([job("chip", step=2.0) for _ in range(5)]))
    assert enough.step_seconds == pytest.approx(2 * alone.step_seconds)
    assert enough.uncorrected_step_seconds == alone.step_seconds
    assert enough.speed_source == estimate_pb2.SPEED_SOURCE_JOBS
    assert enough.comparable_job_count == 5
    # They agree, so it is surer than before.
    assert enough.high_step_seconds / enough.step_seconds < 1.15


def test_two_devices_are_faster_and_not_twice_as_fast() -> None:
    spec = find("A100")
    assert spec is not None
    one, two = (throughput(run("FULL", device=spec.device(), count=count, row_tokens=1024)) for count in (1, 2))
    assert one.tokens_per_second < two.tokens_per_second < 2 * one.tokens_per_second
    assert any("communication" in remark for remark in two.remarks)


def test_duration_is_steps_and_saving_and_evaluations() -> None:
    workload = run(rows=100, epochs=1, checkpoints=0)
    found = throughput(workload)
    seconds = duration_seconds(workload, found)
    assert seconds is not None
    assert 25 * found.step_seconds < seconds < 25 * found.step_seconds + 1
    evaluated = run(rows=100, epochs=1, checkpoints=0, evaluations=2, over={"datasets": {"validation_file_id": "held"}})
    with_evaluations = duration_seconds(evaluated, throughput(evaluated), 40)
    assert with_evaluations is not None
    # Three times ten batches forward only.
    assert with_evaluations - seconds == pytest.approx(15 * found.step_seconds)
    saved = run(rows=100, epochs=1, checkpoints=5)
    assert (duration_seconds(saved, throughput(saved)) or 0) > seconds + 1


def test_without_a_count_of_rows_there_is_no_duration() -> None:
    workload = run(rows=None, epochs=1)
    assert duration_seconds(workload, throughput(workload)) is None


def test_an_hour_of_a_card_costs_its_list_price() -> None:
    spec = find("A100")
    assert spec is not None
    assert spec.price is not None
    cost = device_cost(spec, 2, 1800)
    assert cost is not None
    assert (cost.amount, cost.currency) == (pytest.approx(spec.price.usd_per_hour), "USD")
    assert "1.00 GPU hours" in cost.detail
    assert spec.price.month in cost.detail


def test_what_nobody_lists_costs_nothing_that_is_known() -> None:
    assert device_cost(find("RTX 3060"), 1, 3600) is None
    assert device_cost(None, 1, 3600) is None


def test_a_hosted_provider_charges_tokens_times_epochs() -> None:
    prices = {"big": TokenPrice(3.0, "2026-11"), "small": TokenPrice(0.5, "2026-11", minimum_usd=4.0)}
    cost = hosted_cost(prices, "big", 2_000_000, 3)
    assert cost is not None
    assert cost.amount == pytest.approx(18.0)
    assert "2,000,000 tokens × 3 epochs" in cost.detail
    least = hosted_cost(prices, "small", 1000, 1)
    assert least is not None
    assert least.amount == 4.0
    assert hosted_cost(prices, "unheard of", 1000, 1) is None


def test_an_unknown_gpu_has_no_throughput() -> None:
    gpu = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CUDA, name="Commodore 64")
    assert estimate_throughput(run(device=gpu)) is None
