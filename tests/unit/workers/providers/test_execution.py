"""What estimates take for granted of a trainer is what the trainer is given."""

from typing import Any

import pytest
from trl.kernels import chunked_logprob
from trl.trainer import utils

from workers.providers.execution import BYTES, plain_loop
from workers.providers.local.execution import LOSS_COLUMNS, LOSS_TOKENS, execution
from workers.providers.local.plan import plan

from .conftest import Submit, merged

FULL: dict[str, Any] = {"method": {"type": "TRAINING_METHOD_FULL", "lora_config": None}}
NO_MASTERS = merged(FULL, {"model": {"master_weights": False}})


def test_the_parts_of_the_loss_are_as_large_as_trls() -> None:
    assert LOSS_TOKENS == chunked_logprob.TOKEN_CHUNK_SIZE
    assert LOSS_COLUMNS == utils._CHUNKED_LOGPROB_CHUNK_SIZE


@pytest.mark.parametrize("over", [{}, FULL, NO_MASTERS, {"model": {"precision": "MODEL_PRECISION_FP32"}}])
def test_an_execution_holds_what_the_plan_loads(submit: Submit, over: dict[str, Any]) -> None:
    resolved = submit(over)[1]
    made, run = plan(resolved), execution(resolved)
    held = run.frozen_dtype if made.adapter else run.trained_dtype
    assert held == made.weights["dtype"]
    assert run.autocast == made.trainer["bf16"]
    assert (run.optimizer, run.optimizer_bits, run.all_logits) == ("adamw_torch_fused", 32, False)
    assert run.adapter_dtype in BYTES


def test_optimizations_act_on_an_execution(submit: Submit) -> None:
    names = ("GRADIENT_CHECKPOINTING", "OPTIMIZER_8BIT", "PAGED_OPTIMIZER", "DYNAMIC_PADDING", "FLASH_ATTENTION")
    resolved = submit({"optimizations": {"enabled": [f"OPTIMIZATION_FEATURE_{name}" for name in names]}})[1]
    for run in (execution(resolved), plain_loop(resolved)):
        assert (run.checkpointing, run.optimizer, run.optimizer_bits, run.paged) == (True, "paged_adamw_8bit", 8, True)
        assert run.dynamic_padding
    # local knows of no pool that has its package.
    assert (execution(resolved).attention, plain_loop(resolved).attention) == ("sdpa", "flash")


def test_a_plain_loop_holds_bfloat16_without_autocast_unless_told_otherwise(submit: Submit) -> None:
    plain = plain_loop(submit(FULL)[1])
    assert (plain.all_logits, plain.trained_dtype, plain.autocast, plain.adapter_dtype) == (True, "bfloat16", False, "float32")
    masters = plain_loop(submit(merged(FULL, {"model": {"master_weights": True}}))[1])
    assert (masters.trained_dtype, masters.autocast) == ("float32", True)


@pytest.mark.parametrize(
    ("precision", "double", "bits", "doubled"), [("INT4", None, 4, True), ("INT4", False, 4, False), ("INT8", None, 8, True)]
)
def test_quantized_weights_are_told(submit: Submit, precision: str, double: bool | None, bits: int, doubled: bool) -> None:
    model = {"precision": f"MODEL_PRECISION_{precision}"} | ({} if double is None else {"double_quantization": double})
    run = plain_loop(submit({"method": {"type": "TRAINING_METHOD_QLORA"}, "model": model})[1])
    assert (run.quantization_bits, run.double_quantization, run.frozen_dtype) == (bits, doubled, "bfloat16")
