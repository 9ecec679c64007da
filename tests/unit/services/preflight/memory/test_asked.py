"""What a second model and a second pass take, and that nothing is counted that isn't there."""

from dataclasses import replace
from typing import Any

import pytest
from tunesmith.pool.v1.pool_pb2 import DEVICE_KIND_CPU, Device

from services.chassis.knobs import resolved
from services.preflight.estimate.asked import asked_share, asked_weight_bytes, compared_bytes
from services.preflight.estimate.batch import batch_of
from services.preflight.estimate.memory import estimate_memory
from services.preflight.estimate.phases import Phases
from services.preflight.estimate.speed import Speed
from services.preflight.estimate.step_time import step_seconds
from services.preflight.estimate.steps import total_steps
from services.preflight.estimate.workload import Workload
from tests.unit.services.preflight.known import GPT_2, LLAMA_2_7B, configuration
from workers.providers import PROVIDERS

CPU = Device(kind=DEVICE_KIND_CPU, core_count=2, memory_bytes=24 << 30)
LORA = {"type": "TRAINING_METHOD_LORA", "lora_config": {}}
FULL = {"type": "TRAINING_METHOD_FULL"}
PARAMETERS = GPT_2.parameter_count


def workload(method: dict[str, Any], teacher: Any = None, **sections: Any) -> Workload:
    made = resolved(configuration(method=method, schedule={"batch_size": 4, "epochs": 1}, **sections))
    execution = PROVIDERS["local"].execution
    assert execution is not None
    return Workload(GPT_2, made, execution(made), 1000, 256, 200.0, CPU, teacher=teacher)


def dpo(method: dict[str, Any], **preference: Any) -> Workload:
    return workload({**method, "objective": "TRAINING_OBJECTIVE_DPO", "preference_config": preference})


def distillation(method: dict[str, Any], teacher: Any = LLAMA_2_7B, **settings: Any) -> Workload:
    config = {"teacher_model": "sage", **settings}
    return workload({**method, "objective": "TRAINING_OBJECTIVE_DISTILLATION", "distillation_config": config}, teacher)


def test_a_pair_is_two_sequences_and_one_row() -> None:
    plain, pairs = workload(LORA), dpo(LORA)
    assert (pairs.batch_size, pairs.tokens) == (2 * plain.batch_size, 2 * plain.tokens) == (8, 2048)
    assert (batch_of(pairs).sequences, batch_of(pairs).rows) == (8, 4)
    assert total_steps(pairs) == total_steps(plain) == 250


@pytest.mark.parametrize(
    ("asking", "weights"),
    [
        (workload(FULL), 0),
        (dpo(FULL), 4 * PARAMETERS),
        (dpo(FULL, reference_free=True), 0),
        # An adapter's base is there already.
        (dpo(LORA), 0),
        # In the precision of the job, which is BF16 unless something else was asked for.
        (distillation(LORA), 2 * LLAMA_2_7B.parameter_count),
        (distillation(LORA, teacher_weight=0), 0),
        # Nobody knows: as large as the student.
        (distillation(FULL, teacher=None), 2 * PARAMETERS),
    ],
)
def test_only_a_second_model_takes_room_for_its_weights(asking: Workload, weights: int) -> None:
    assert asked_weight_bytes(asking) == pytest.approx(weights, rel=0.02)
    alone = replace(asking, configuration=workload(FULL if asking.full else LORA).configuration)
    held = Phases(asking).whole.weights - Phases(alone).whole.weights
    assert held == pytest.approx(weights, rel=0.02)


def test_the_estimate_of_pairs_lies_above_that_of_single_rows() -> None:
    plain, free, compared = (
        estimate_memory(one).peak_bytes for one in (workload(FULL), dpo(FULL, reference_free=True), dpo(FULL))
    )
    assert plain < free < compared
    assert compared - free >= 4 * PARAMETERS * 0.98
    # As much as single rows twice as many at once.
    doubled = workload(FULL)
    doubled.configuration.schedule.batch_size = 8
    assert free == pytest.approx(estimate_memory(replace(doubled)).peak_bytes, rel=0.01)


def test_comparing_with_a_teacher_holds_parts_of_both_logits() -> None:
    assert compared_bytes(workload(LORA)) == compared_bytes(dpo(LORA)) == 0
    distils = distillation(LORA)
    assert compared_bytes(distils) >= 2 * 4 * 255 * 32768 * 4
    assert estimate_memory(distils).peak_bytes > estimate_memory(workload(LORA)).peak_bytes + 2 * LLAMA_2_7B.parameter_count


@pytest.mark.parametrize(
    ("asking", "share"),
    [
        (workload(FULL), 0),
        (dpo(FULL), 1 / 3),
        (dpo(LORA), 1 / 2),
        (dpo(LORA, reference_free=True), 0),
        (distillation(FULL, teacher=GPT_2), 1 / 3),
        (distillation(LORA, teacher=None), 1 / 2),
    ],
)
def test_a_pass_that_only_asks_takes_its_share_of_a_step(asking: Workload, share: float) -> None:
    assert asked_share(asking) == pytest.approx(share)
    speed = Speed.of(CPU)
    assert speed is not None
    free = replace(asking, configuration=resolved(asking.configuration))
    free.configuration.method.preference_config.reference_free = True
    free.configuration.method.distillation_config.teacher_weight = 0
    assert step_seconds(asking, speed) >= step_seconds(free, speed) * (1 + 0.8 * share)
