"""Whether it fits, what makes it fit, and that it then does."""

import pytest
from tunesmith import apply_fixes
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.pool.v1.pool_pb2 import DEVICE_KIND_CUDA, Device, Pool
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR, SEVERITY_WARNING

from services.preflight.checks.memory import LADDER
from tests.unit.services.preflight.known import GIB, GPU_POOL, LLAMA_2_7B, changed, codes, configuration, older_local, report, the
from workers.providers import PROVIDERS

CACHED = changed(LLAMA_2_7B, cache_status="CACHE_STATUS_CACHED")


def gpu(gigabytes: float) -> list[Pool]:
    pool = Pool()
    pool.CopyFrom(GPU_POOL)
    pool.devices[0].CopyFrom(Device(kind=DEVICE_KIND_CUDA, name="some GPU", memory_bytes=int(gigabytes * GIB)))
    return [pool]


def full(**sections: object) -> JobConfiguration:
    return configuration(method={"type": "TRAINING_METHOD_FULL"}, optimizer={"learning_rate": 1e-5}, **sections)


@pytest.mark.parametrize("gigabytes", [24, 40])
def test_the_fix_makes_it_fit(gigabytes: float) -> None:
    made = full()
    found = report(made, CACHED, pools=gpu(gigabytes))
    finding = the(found, "OUT_OF_MEMORY")
    assert finding.severity == SEVERITY_ERROR
    assert "some GPU has" in finding.message
    fixed = report(apply_fixes(made, [finding]), CACHED, pools=gpu(gigabytes))
    assert fixed.memory.high_bytes <= fixed.memory.device_bytes
    assert "OUT_OF_MEMORY" not in codes(fixed)


def test_what_costs_least_is_tried_first() -> None:
    roomy = report(configuration(), CACHED, pools=gpu(200)).memory
    device = roomy.peak_bytes * 0.9 / GIB
    finding = the(report(configuration(), CACHED, pools=gpu(device)), "MEMORY_TIGHT")
    assert finding.severity == SEVERITY_WARNING
    assert finding.fix.label == "Switch on gradient checkpointing"
    assert len(LADDER) == 7


def test_nothing_makes_it_fit() -> None:
    finding = the(report(full(), CACHED, pools=gpu(4)), "OUT_OF_MEMORY")
    assert not finding.HasField("fix")
    assert "choose a smaller model or a larger device" in finding.message


def test_master_weights_are_held_where_there_is_room_and_the_answer_is_in_the_configuration() -> None:
    assert report(full(), CACHED, pools=gpu(400)).resolved_configuration.model.master_weights
    tight = report(full(), CACHED, pools=gpu(100)).resolved_configuration
    assert tight.model.HasField("master_weights")
    assert not tight.model.master_weights


@pytest.mark.parametrize("gigabytes", [400, 24, 0])
def test_after_it_ran_out_what_should_fit_is_below_what_was_expected(gigabytes: int) -> None:
    # By the estimate it fits, which was wrong; or somebody accepted the warning; or nobody knows the device.
    pools = gpu(gigabytes) if gigabytes else []
    before = report(configuration(), CACHED, pools=pools).memory
    found = report(configuration(), CACHED, pools=pools, ran_out_of_memory_bytes=gigabytes * GIB)
    finding = the(found, "OUT_OF_MEMORY")
    assert finding.severity == SEVERITY_ERROR
    assert finding.message.startswith("it ran out of memory")
    after = report(apply_fixes(configuration(), [finding]), CACHED, pools=pools).memory
    assert after.high_bytes <= before.peak_bytes


def test_a_run_that_fits_is_not_spoken_of() -> None:
    found = report(configuration(), CACHED, pools=gpu(400))
    assert not {"OUT_OF_MEMORY", "MEMORY_TIGHT"} & set(codes(found))


def test_what_is_measured_is_the_job_that_would_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDERS, "local", older_local())
    # QLoRA would fit and is refused; LoRA, which the fix makes of it, does not: both are told at once.
    made = configuration(
        model={"base_model": "llama", "precision": "MODEL_PRECISION_INT4"},
        method={"type": "TRAINING_METHOD_QLORA", "lora_config": {"rank": 16, "alpha": 32}},
        schedule={"batch_size": 1, "sequence_length": 512},
        optimizations={"enabled": ["OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING"]},
    )
    found = report(made, CACHED, pools=gpu(8))
    assert found.memory.high_bytes < 8 * GIB
    assert {"METHOD_NOT_SUPPORTED", "OUT_OF_MEMORY"} <= set(codes(found, SEVERITY_ERROR))


def test_a_model_of_sizes_that_no_formula_can_bear_is_checked_all_the_same() -> None:
    endless = changed(CACHED, architecture={"hidden_size": 2**31 - 1, "vocabulary_size": 2**31 - 1, "layer_count": 2**31 - 1})
    found = report(configuration(schedule={"epochs": -1}), endless)
    assert {"ESTIMATE_FAILED", "OUT_OF_RANGE"} <= set(codes(found))
    assert not found.HasField("memory")
    assert found.HasField("placement")
