"""What an estimate says as a whole: sums, phases, devices, and what changes with each setting."""

import time
from typing import Any

import pytest
from tunesmith.preflight.v1 import estimate_pb2
from tunesmith.preflight.v1.estimate_pb2 import MemoryEstimate

from services.preflight.estimate.memory import decide_master_weights, estimate_memory
from services.preflight.estimate.phases import COMPONENTS, PHASES
from services.preflight.estimate.state import NF4_BYTES, NF4_DOUBLE_BYTES, state_of
from tests.unit.services.preflight.memory.models import CPU, CUDA, base_model, configuration, workload
from workers.providers.execution import plain_loop
from workers.providers.local.execution import execution

GIGABYTE = 10**9
MODELS = ("llama", "qwen3", "gemma3", "gpt2", "phi", "vit")


def part(made: MemoryEstimate, name: str) -> int:
    return next(each.bytes for each in made.components if each.name == name)


def peak(name: str, *arguments: Any, **settings: Any) -> int:
    row_tokens = settings.pop("row_tokens", 1024)
    return estimate_memory(workload(name, configuration(*arguments, **settings), row_tokens=row_tokens)).peak_bytes


@pytest.mark.parametrize("kind", [CUDA, CPU])
@pytest.mark.parametrize("method", ["FULL", "LORA", "QLORA", "PROMPT_TUNING"])
@pytest.mark.parametrize("name", MODELS)
def test_components_add_up_and_the_peak_is_the_largest_phase(name: str, method: str, kind: Any) -> None:
    resolved = configuration(method, over={"datasets": {"training_file_id": "rows", "validation_file_id": "held-out"}})
    made = estimate_memory(workload(name, resolved, kind=kind))
    assert [phase.name for phase in made.phases] == list(PHASES)
    for phase in made.phases:
        assert [each.name for each in phase.components] == list(COMPONENTS)
        assert sum(each.bytes for each in phase.components) == phase.bytes
        assert all(each.bytes >= 0 for each in phase.components)
    assert made.peak_bytes == max(phase.bytes for phase in made.phases)
    assert sum(each.bytes for each in made.components) == made.peak_bytes
    assert 0 < made.low_bytes < made.peak_bytes < made.high_bytes
    assert 0 < made.steady_bytes <= made.peak_bytes
    assert made.trainable_parameter_count <= made.parameter_count


def test_without_a_validation_dataset_there_is_no_evaluation() -> None:
    assert "evaluation" not in [phase.name for phase in estimate_memory(workload("llama", configuration())).phases]


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (("FULL", "BF16", "GRADIENT_CHECKPOINTING"), ("FULL", "BF16")),
        (("LORA", "BF16", "GRADIENT_CHECKPOINTING"), ("LORA", "BF16")),
        (("FULL", "BF16", "OPTIMIZER_8BIT"), ("FULL", "BF16")),
        (("QLORA", "INT4"), ("QLORA", "INT8")),
        (("QLORA", "INT8"), ("LORA", "BF16")),
        (("LORA", "BF16"), ("LORA", "FP32")),
        (("LORA", "BF16", "FLASH_ATTENTION"), ("LORA", "BF16")),
        (("LORA", "BF16", "ACTIVATION_OFFLOADING"), ("LORA", "BF16")),
    ],
)
def test_what_saves_memory_saves_memory(less: tuple[str, ...], more: tuple[str, ...]) -> None:
    assert peak("llama", *less) < peak("llama", *more)


def test_more_rows_and_longer_ones_take_more() -> None:
    one, two, long = peak("llama", batch_size=2), peak("llama", batch_size=4), peak("llama", batch_size=2, row_tokens=2048)
    assert one < two < long
    assert peak("llama", "FULL", batch_size=1, gradient_accumulation=4) > peak("llama", "FULL", batch_size=1)


def test_quantized_weights_are_as_wide_as_they_say() -> None:
    linear = base_model("llama").profile.parameter_count - 2 * 32000 * 1024 - 17 * 1024
    held = {}
    for double in (False, True):
        resolved = configuration("QLORA", "INT4", model={"double_quantization": double})
        held[double] = state_of(workload("llama", resolved)).weights
    assert held[False] - held[True] == pytest.approx(linear * (NF4_BYTES - NF4_DOUBLE_BYTES))
    assert NF4_BYTES == 0.5625
    assert abs(NF4_DOUBLE_BYTES - 0.51587) < 1e-5
    rest = base_model("llama").profile.parameter_count - linear
    assert held[True] == pytest.approx(linear * NF4_DOUBLE_BYTES + 2 * rest)
    rows = 8 * (1024 + 256 + 256 + 1024 + 2816 + 2816 + 1024)
    assert state_of(workload("llama", configuration("QLORA", "INT8"))).weights == linear + 4 * rows + 2 * rest


def test_an_8_bit_optimizer_keeps_small_tensors_and_embeddings_wide() -> None:
    state = state_of(workload("llama", configuration("FULL", "BF16", "OPTIMIZER_8BIT")))
    count = base_model("llama").profile.parameter_count
    wide = 32000 * 1024 + 17 * 1024
    assert state.optimizer == pytest.approx(8 * wide + (count - wide) * 2.03125)
    paged = state_of(workload("llama", configuration("FULL", "BF16", "PAGED_OPTIMIZER")))
    assert paged.optimizer == 8 * count


def test_splitting_over_devices_splits_what_it_names() -> None:
    def share(strategy: str, count: int = 4) -> dict[str, int]:
        resolved = configuration("FULL", masters=True, over={"hardware": {"strategy": f"DISTRIBUTION_STRATEGY_{strategy}"}})
        made = estimate_memory(workload("Llama-3.2-3B", resolved, count=count))
        assert made.device_count == count
        return {name: part(made, name) for name in COMPONENTS} | {"peak": made.peak_bytes}

    alone, ddp, zero_1, zero_2, zero_3 = share("DDP", 1), share("DDP"), share("ZERO_1"), share("ZERO_2"), share("ZERO_3")
    assert ddp["weights"] == zero_1["weights"] == zero_2["weights"] == alone["weights"]
    assert ddp["optimizer"] == alone["optimizer"]
    assert zero_1["optimizer"] == pytest.approx(alone["optimizer"] / 4)
    assert zero_3["weights"] == pytest.approx(alone["weights"] / 4)
    assert share("FSDP") == zero_3
    assert zero_3["peak"] < zero_2["peak"] <= zero_1["peak"] < alone["peak"] < ddp["peak"]
    # Activations are never split.
    assert zero_3["activations"] == pytest.approx(alone["activations"], rel=0.01)


def test_a_model_of_which_only_sizes_are_known_has_low_confidence() -> None:
    known, guessed = (estimate_memory(workload("llama", configuration(), profiled=each)) for each in (True, False))
    assert (known.confidence, guessed.confidence) == (estimate_pb2.CONFIDENCE_MEDIUM, estimate_pb2.CONFIDENCE_LOW)
    assert guessed.peak_bytes == pytest.approx(known.peak_bytes, rel=0.02)
    assert guessed.high_bytes - guessed.low_bytes > 3 * (known.high_bytes - known.low_bytes)
    assert any("modules are not known" in remark for remark in guessed.remarks)


def test_a_plain_loop_tells_what_the_providers_own_trainer_needs() -> None:
    resolved = configuration()
    run, own = workload("Llama-3.2-3B", resolved, row_tokens=768), execution(resolved)
    alone, told = estimate_memory(run), estimate_memory(run, own)
    of_own = estimate_memory(workload("Llama-3.2-3B", resolved, row_tokens=768, all_logits=False))
    assert (told.basis, of_own.basis) == (estimate_pb2.BASIS_PLAIN_LOOP, estimate_pb2.BASIS_CLOSED_FORM)
    assert told.peak_bytes == alone.peak_bytes > of_own.peak_bytes
    assert told.low_bytes <= of_own.low_bytes < alone.low_bytes
    assert f"{of_own.peak_bytes / 1e9:.1f} GB" in told.remarks[-1]


@pytest.mark.parametrize(
    ("memory_gigabytes", "expected"),
    [(24, False), (48, False), (80, True), (0, True)],
    ids=["24 GB", "48 GB", "80 GB", "unknown"],
)
def test_master_weights_are_held_where_they_fit(memory_gigabytes: int, expected: bool) -> None:
    run = workload("Llama-3.2-3B", configuration("FULL"), memory_bytes=memory_gigabytes * GIGABYTE, row_tokens=512)
    assert decide_master_weights(run, plain_loop) is expected
    adapters = workload("Llama-3.2-3B", configuration(), memory_bytes=memory_gigabytes * GIGABYTE)
    assert decide_master_weights(adapters, plain_loop) is True


def test_an_estimate_takes_no_more_than_a_moment() -> None:
    resolved = configuration("FULL")
    times = []
    for _ in range(50):
        began = time.perf_counter()
        estimate_memory(workload("Llama-3.2-3B", resolved))
        times.append(time.perf_counter() - began)
    assert sorted(times)[len(times) // 2] < 0.002
