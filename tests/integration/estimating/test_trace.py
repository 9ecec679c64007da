"""A trace says what a step holds: against published measurements, against whole models, and against what each setting does."""

import json
import time
from typing import Any

import pytest
from tunesmith.pool.v1 import pool_pb2
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.worker.v1 import inquiry_pb2

from services.chassis.errors import InvalidArgument
from services.preflight.estimate.parameters import parameters_of
from services.preflight.estimate.workload import Workload
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
from workers.estimating.profile import profile
from workers.estimating.trace import trace
from workers.providers.local.execution import execution

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


# Llama 3.2 3B: 3,072 features, 28 layers of 8 heads of keys with 128 features each.
SOFT_PROMPTS: dict[tuple[str, int | None], int] = {
    ("PROMPT_TUNING", None): 20 * 3072,
    ("P_TUNING", None): 20 * 3072 + 3 * (3072 * 3072 + 3072),
    ("P_TUNING", 64): 20 * 3072 + (3072 + 1) * 64 + (64 + 1) * 64 + (64 + 1) * 3072,
    ("PREFIX_TUNING", None): 20 * 28 * 2 * 1024,
    ("PREFIX_TUNING", 64): 20 * 1024 + (1024 + 1) * 64 + (64 + 1) * 28 * 2 * 1024,
}


@pytest.mark.parametrize(("method", "width"), list(SOFT_PROMPTS))
def test_a_soft_prompt_and_its_network_are_all_that_moves(method: str, width: int | None) -> None:
    prompt = {} if width is None else {"encoder_hidden_size": width}
    asked = question(LLAMA_3B, method=method, prompt=prompt)
    step = phase(trace(asked), "optimizer_step")
    count = SOFT_PROMPTS[method, width]
    assert step.adapter_bytes == pytest.approx(count * 4, rel=1e-3)
    assert step.gradient_bytes == step.adapter_bytes
    # The formulas count the same.
    model = base_model_pb2.BaseModel(configuration_json=asked.configuration_json, family="llama")
    model.profile.CopyFrom(profile(asked.configuration_json))
    sizes = {"hidden_size": 3072, "layer_count": 28, "attention_head_count": 24, "key_value_head_count": 8, "head_size": 128}
    for name, size in sizes.items():
        setattr(model.architecture, name, size)
    run = Workload(model, asked.configuration, execution(asked.configuration), None, 768, 768.0, pool_pb2.Device(), 1)
    assert parameters_of(run).adapter == count


def test_a_text_to_begin_with_needs_no_tokenizer_to_be_traced() -> None:
    plain, text = (trace(question(SMALL_LLAMA, method="PROMPT_TUNING", prompt=each)) for each in ({}, {"initial_text": "Hello"}))
    assert [one.adapter_bytes for one in plain.phases] == [one.adapter_bytes for one in text.phases]


def test_dora_holds_more_than_lora_and_is_not_traced_beside_packed_weights() -> None:
    lora, dora = (trace(question(SMALL_LLAMA, dora=each)) for each in (False, True))
    assert phase(dora, "forward").activation_bytes > phase(lora, "forward").activation_bytes
    assert phase(dora, "optimizer_step").adapter_bytes > phase(lora, "optimizer_step").adapter_bytes
    with pytest.raises(InvalidArgument, match="DoRA beside quantized weights"):
        trace(question(SMALL_LLAMA, method="QLORA", precision="INT4", dora=True))


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
