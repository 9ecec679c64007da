"""What a trace without numbers finds is what real tensors hold while a real step of transformers, peft and trl computes."""

import gc
from dataclasses import replace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM
from trl.trainer.utils import add_fused_lm_head

from tests.integration.estimating.questions import CPU, SMALL_LLAMA, peak, question
from workers.estimating.ledger import Holding, Ledger
from workers.estimating.trace import trace, trace_execution
from workers.providers.execution import FUSED_ADAMW, plain_loop

pytestmark = pytest.mark.integration

ROWS, TOKENS = 2, 96
CPU_GRANULARITY = 64
CLOSE = 0.02


@pytest.mark.parametrize("checkpointing", [False, True], ids=["plain", "checkpointing"])
def test_full_training_with_all_logits(checkpointing: bool) -> None:
    optimizations = ["GRADIENT_CHECKPOINTING"] if checkpointing else []
    asked = question(
        SMALL_LLAMA,
        method="FULL",
        precision="FP32",
        batch=ROWS,
        tokens=TOKENS,
        optimizations=optimizations,
        device=CPU,
        all_logits=True,
    )
    model = _model(torch.float32)
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    found = _most_held(model, lambda inputs: model(**inputs).loss)
    execution = replace(plain_loop(asked.configuration), keeps_logits=False, optimizer=FUSED_ADAMW)
    assert peak(trace_execution(asked, execution)) == pytest.approx(found, rel=CLOSE)


def test_lora_under_autocast_with_the_loss_in_parts() -> None:
    asked = question(SMALL_LLAMA, rank=8, batch=ROWS, tokens=TOKENS, device=CPU)
    adapted = get_peft_model(
        _model(torch.bfloat16), LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    )
    add_fused_lm_head(adapted.get_base_model(), outputs=("log_probs", "entropy", "is_top1"))

    def loss(inputs: dict[str, Any]) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return (-adapted(**inputs, fused_lm_head=True).log_probs).sum() / (ROWS * TOKENS)

    assert peak(trace(asked)) == pytest.approx(_most_held(adapted, loss), rel=CLOSE)


def _model(dtype: torch.dtype) -> Any:
    values = dict(SMALL_LLAMA)
    configuration = AutoConfig.for_model(values.pop("model_type"), **values)
    return AutoModelForCausalLM.from_config(configuration, dtype=dtype).train()


def _most_held(model: Any, loss_of: Any) -> int:
    """The most bytes that tensors hold in a second step, whose optimiser has states."""
    moving = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(moving, fused=True)
    ids = torch.randint(3, 500, (ROWS, TOKENS))
    mask = torch.ones_like(ids)
    # So that attention needs a mask.
    mask[0, TOKENS // 2 :] = 0
    inputs = {"input_ids": ids, "labels": ids, "attention_mask": mask, "use_cache": False}
    loss_of(inputs).backward()
    optimizer.step()
    optimizer.zero_grad()
    gc.collect()
    ledger = Ledger(CPU_GRANULARITY)
    with ledger:
        ledger.begin("step")
        ledger.claim(model.parameters(), Holding.WEIGHTS)
        ledger.claim(model.buffers(), Holding.WEIGHTS)
        states = (one for state in optimizer.state.values() for one in state.values() if isinstance(one, torch.Tensor))
        ledger.claim(states, Holding.OPTIMIZER)
        loss = loss_of(inputs)
        loss.backward()
        optimizer.step()
    return sum(ledger.peaks["step"])
