"""A trace says what a step holds: against published measurements, against whole models, and against what each setting does."""

import json
import time
from typing import Any

import pytest
from tunesmith.worker.v1 import inquiry_pb2

from services.chassis.errors import InvalidArgument
from tests.integration.estimating.questions import (
    CPU,
    CUDA,
    LLAMA_3B,
    LLAMA_70B,
    SMALL_GEMMA,
    SMALL_LLAMA,
    peak,
    phase,
    question,
    total,
)
from workers.estimating import trace as tracing
from workers.estimating.layers import Stack
from workers.estimating.trace import trace

pytestmark = pytest.mark.integration

MAX_SECONDS = 2.0
LLAMA_3B_PARAMETERS, LORA_PARAMETERS = 3_212_749_824, 9_175_040
PHASES = ("forward", "backward", "optimizer_step")


def test_the_published_lora_run_of_a_3b_model_is_met() -> None:
    """peft's MetaMathQA comparison, L40S: LoRA r=32 on q and v, batch 4, 768 tokens, bfloat16, AdamW: 20.8 GiB."""
    found = trace(question(LLAMA_3B, all_logits=True))
    assert 19.11e9 < peak(found) < 23.40e9
    step = phase(found, "optimizer_step")
    assert LLAMA_3B_PARAMETERS * 2 <= step.weight_bytes < LLAMA_3B_PARAMETERS * 2 * 1.001
    assert LORA_PARAMETERS * 4 <= step.adapter_bytes < LORA_PARAMETERS * 4 * 1.01
    assert step.gradient_bytes == step.adapter_bytes


def test_the_published_full_run_of_a_3b_model_is_met() -> None:
    """The same comparison's full fine-tuning, weights, gradients and states in bfloat16: 34.8 to 36.2 GiB."""
    found = trace(question(LLAMA_3B, method="FULL", all_logits=True, master_weights=False))
    assert 35.48e9 < peak(found) < 40.81e9
    assert phase(found, "optimizer_step").gradient_bytes == pytest.approx(LLAMA_3B_PARAMETERS * 2, rel=0.001)


@pytest.mark.parametrize("optimizations", [(), ("GRADIENT_CHECKPOINTING",)])
def test_the_largest_step_is_traced_in_time(optimizations: tuple[str, ...]) -> None:
    trace(question(SMALL_LLAMA))
    asked = question(LLAMA_70B, modules="all-linear", batch=64, tokens=33_000, optimizations=optimizations)
    began = time.process_time()
    found = trace(asked)
    assert time.process_time() - began < MAX_SECONDS
    assert [one.name for one in found.phases] == list(PHASES)
    assert found.seconds > 0


@pytest.mark.parametrize("configuration", [SMALL_LLAMA, SMALL_GEMMA], ids=["alike", "two kinds"])
@pytest.mark.parametrize("method", ["LORA", "FULL"])
@pytest.mark.parametrize("optimizations", [(), ("GRADIENT_CHECKPOINTING",)], ids=["plain", "checkpointing"])
def test_a_few_layers_tell_of_all(
    configuration: dict[str, Any], method: str, optimizations: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is extended from one and two layers of a kind is what a trace of every layer finds."""
    asked = question(configuration, method=method, tokens=64, optimizations=optimizations)
    extended = trace(asked)
    monkeypatch.setattr(tracing, "_whole_model", _every_layer)
    every = trace(asked)
    for name in PHASES:
        assert total(phase(extended, name)) == pytest.approx(total(phase(every, name)), rel=0.01)
    kept = [phase(one, "optimizer_step") for one in (extended, every)]
    assert [one.weight_bytes for one in kept] == [kept[1].weight_bytes] * 2
    assert [one.optimizer_bytes for one in kept] == [kept[1].optimizer_bytes] * 2


def test_checkpointing_keeps_one_tensor_a_layer() -> None:
    plain, checkpointed = (
        phase(trace(question(LLAMA_3B, optimizations=chosen)), "forward") for chosen in ((), ("GRADIENT_CHECKPOINTING",))
    )
    assert checkpointed.activation_bytes < plain.activation_bytes / 10
    assert checkpointed.activation_bytes >= 28 * 4 * 768 * 3072 * 2


def test_a_loss_in_parts_holds_no_logits_of_all_tokens() -> None:
    whole, parts = (phase(trace(question(LLAMA_3B, all_logits=kind)), "backward") for kind in (True, False))
    assert whole.logit_bytes > 4 * 767 * 128_256 * 4
    assert parts.logit_bytes < whole.logit_bytes / 10


def test_quantized_weights_take_their_bits() -> None:
    """Linear layers in four or eight bits with scales; the embedding, tied to the output, and the norms in sixteen."""
    embedding, norms = 128_256 * 3072, 57 * 3072
    linear = LLAMA_3B_PARAMETERS - embedding - norms
    rows = 28 * (3072 + 1024 + 1024 + 3072 + 8192 + 8192 + 3072)
    expected = {
        ("INT4", True): linear * (0.5 + 1 / 64 + 4 / (64 * 256)),
        ("INT4", False): linear * (0.5 + 4 / 64),
        ("INT8", None): linear + 4 * rows,
    }
    for (precision, double), size in expected.items():
        more = {} if double is None else {"double_quantization": double}
        step = phase(trace(question(LLAMA_3B, method="QLORA", precision=precision, **more)), "optimizer_step")
        assert step.weight_bytes == pytest.approx(size + 2 * (embedding + norms), rel=1e-4)


def test_states_are_as_wide_as_the_optimiser_keeps_them() -> None:
    full, eight_bit = (
        phase(trace(question(LLAMA_3B, method="FULL", optimizations=chosen)), "optimizer_step")
        for chosen in ((), ("OPTIMIZER_8BIT",))
    )
    embedding, norms = 128_256 * 3072, 57 * 3072
    linear = LLAMA_3B_PARAMETERS - embedding - norms
    assert full.optimizer_bytes == pytest.approx(8 * LLAMA_3B_PARAMETERS, rel=1e-4)
    # transformers keeps embeddings in 32 bits, bitsandbytes tensors of fewer than 4,096 elements.
    assert eight_bit.optimizer_bytes == pytest.approx(linear * 2 * (1 + 4 / 256) + 8 * (embedding + norms), rel=1e-4)
    assert full.weight_bytes == pytest.approx(4 * LLAMA_3B_PARAMETERS, rel=1e-4)


def test_a_soft_prompt_is_all_that_moves() -> None:
    step = phase(trace(question(LLAMA_3B, method="PROMPT_TUNING")), "optimizer_step")
    assert step.adapter_bytes == step.gradient_bytes == 20 * 3072 * 4


def test_gradients_of_earlier_batches_are_there_in_the_next_forward() -> None:
    alone, accumulated = (phase(trace(question(LLAMA_3B, accumulation=number)), "forward") for number in (1, 2))
    assert alone.gradient_bytes == 0
    assert accumulated.gradient_bytes == accumulated.adapter_bytes


def test_attention_on_a_gpu_makes_no_scores_because_a_cpu_would() -> None:
    """A CPU's attention with dropout makes the scores of all pairs of tokens; a GPU's does not."""
    tokens = 2048
    configuration = SMALL_LLAMA | {"attention_dropout": 0.1, "num_key_value_heads": 4}
    asked = {"precision": "BF16", "tokens": tokens, "batch": 1, "optimizations": ("DYNAMIC_PADDING",)}
    gpu, cpu = (phase(trace(question(configuration, device=device, **asked)), "forward") for device in (CUDA, CPU))
    scores = 5 * 4 * tokens**2 * 2
    assert gpu.activation_bytes < scores < cpu.activation_bytes


def test_float32_with_shared_heads_has_no_fused_kernel_on_a_gpu() -> None:
    """The flash kernel takes 16 bits, the memory-efficient one as many heads for keys as for queries."""
    tokens = 1024
    asked = {"precision": "FP32", "tokens": tokens, "batch": 1, "optimizations": ("DYNAMIC_PADDING",)}
    shared, own = (phase(trace(question(SMALL_LLAMA | {"num_key_value_heads": heads}, **asked)), "forward") for heads in (2, 4))
    assert own.activation_bytes < 5 * 4 * tokens**2 * 4 < shared.activation_bytes


def test_dropout_on_a_gpu_keeps_a_byte_an_element() -> None:
    held = {
        (device, dropout): phase(trace(question(LLAMA_3B, device=device, dropout=dropout)), "forward").activation_bytes
        for device in (CPU, CUDA)
        for dropout in (0.0, 0.1)
    }
    # Inputs of q and v, which peft makes float32; the first layer's need no gradient.
    elements = 27 * 2 * 4 * 768 * 3072
    assert held[CUDA, 0.0] == pytest.approx(held[CPU, 0.0], rel=1e-4)
    assert held[CPU, 0.1] - held[CUDA, 0.1] == pytest.approx((4 - 1) * elements, rel=0.01)
    assert held[CUDA, 0.1] - held[CUDA, 0.0] == pytest.approx(elements, rel=0.01)


def test_a_row_is_cut_where_the_models_positions_end() -> None:
    short, long = (trace(question({"model_type": "gpt2"}, modules="c_attn", tokens=tokens)) for tokens in (1024, 5000))
    assert peak(short) == peak(long)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"modules": "no_proj"}, "configuration.method.lora_config.trainable_modules"),
        ({"tokens": 0}, "row_tokens"),
        ({"tokens": 2**21}, "row_tokens"),
        ({"optimizations": ["ACTIVATION_OFFLOADING"], "all_logits": True}, "configuration.optimizations.enabled"),
    ],
)
def test_what_can_not_be_traced_is_refused_with_its_field(change: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        trace(question(SMALL_LLAMA, **change))
    assert refused.value.violations[0][0] == path


def test_models_that_write_no_text_are_refused() -> None:
    asked = question(SMALL_LLAMA)
    asked.configuration_json = json.dumps({"model_type": "vit", "architectures": ["ViTForImageClassification"]})
    with pytest.raises(InvalidArgument, match="does not write text"):
        trace(asked)


def _every_layer(stack: Stack, asked: inquiry_pb2.TraceQuestion, execution: Any, batch: Any) -> Any:
    numbers = sorted(number for kind in stack.kinds for number in kind)
    return tracing.step_peaks(*stack.pick(numbers), asked.configuration.method, execution, batch)
