"""One training step of a model without numbers, and what was held while it ran."""

from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import PreTrainedModel
from trl.trainer.utils import add_fused_lm_head
from tunesmith.config.v1 import method_pb2

from workers.estimating.adapted import adapt
from workers.estimating.cuda_choices import CudaChoices
from workers.estimating.fakes import DTYPES, put_fakes
from workers.estimating.fused_loss import trimmed_loss
from workers.estimating.ledger import Holding, Holdings, Ledger
from workers.estimating.optimizer import moment_bytes, moving, state_sizes
from workers.estimating.unpacked_rows import unpacked_rows
from workers.providers.execution import Execution

# What allocators round to: CUDA's caching one, and malloc as torch asks it.
CUDA_GRANULARITY, CPU_GRANULARITY = 512, 64
FORWARD, BACKWARD, OPTIMIZER_STEP = "forward", "backward", "optimizer_step"
# Parts of a phase in which what is held grows evenly with the number of layers.
EMBEDDING, FIRST, MIDDLE, LAST, HEAD = "embedding", "first", "middle", "last", "head"
# What trl asks its loss for.
_TRL_OUTPUTS = ("log_probs", "entropy", "is_top1")


@dataclass(frozen=True)
class Batch:
    """What a step is given, and on what."""

    rows: int
    tokens: int
    # Whether attention needs a mask, because rows are shorter than others or share a sequence.
    masked: bool
    # Whether gradients of the micro-batches before are there already.
    accumulates: bool
    cuda: bool


def step_peaks(
    cut: PreTrainedModel, layers: list[nn.Module], method: method_pb2.Method, execution: Execution, batch: Batch
) -> dict[str, Holdings]:
    """What was held when it was the most, in each part of a step that is not the first: its optimiser has states.

    Keys are `forward/first` and so on, and `optimizer_step`. The model is used up.
    """
    model: Any = adapt(cut, method)
    _prepare(model, cut, execution, batch)
    fake = FakeTensorMode()
    ledger = Ledger(CUDA_GRANULARITY if batch.cuda else CPU_GRANULARITY)
    with ExitStack() as modes:
        modes.enter_context(fake)
        put_fakes(model, fake, execution, adapted=model is not cut)
        modes.enter_context(trimmed_loss(cuda=batch.cuda))
        modes.enter_context(unpacked_rows())
        modes.enter_context(_choices(execution, batch))
        modes.enter_context(ledger)
        _take_stock(model, ledger, execution, batch, adapted=model is not cut)
        _mark_layers(layers, ledger)
        _run(model, ledger, execution, batch)
    return ledger.peaks


def _choices(execution: Execution, batch: Batch) -> AbstractContextManager[Any]:
    """What the device does otherwise than the CPU that fake tensors are on."""
    return CudaChoices(flash=execution.attention == "flash") if batch.cuda else nullcontext()


def _prepare(model: Any, cut: PreTrainedModel, execution: Execution, batch: Batch) -> None:
    model.train()
    if not execution.all_logits:
        add_fused_lm_head(cut, outputs=_TRL_OUTPUTS)
    if execution.checkpointing:
        # Random numbers take no memory, and a fake device has no state of them to keep. Tensor.backward leaves the modes that
        # are on for calls, so the device's choices have to be made again where layers are computed again.
        cut.gradient_checkpointing_enable(
            {
                "use_reentrant": False,
                "preserve_rng_state": False,
                "context_fn": lambda: (nullcontext(), _choices(execution, batch)),
            }
        )
        if model is not cut:
            # As trl does, without which nothing of a layer that is not adapted would be computed again.
            cut.enable_input_require_grads()


def _take_stock(model: nn.Module, ledger: Ledger, execution: Execution, batch: Batch, *, adapted: bool) -> None:
    """Count what is held before the step."""
    ledger.begin(f"{FORWARD}/{EMBEDDING}")
    ledger.claim(model.buffers(), Holding.WEIGHTS)
    for parameter in model.parameters():
        ledger.claim([parameter], Holding.ADAPTERS if adapted and parameter.requires_grad else Holding.WEIGHTS)
    ledger.add(Holding.OPTIMIZER, sum(map(ledger.rounded, state_sizes(model, execution))))
    for parameter in moving(model):
        if batch.accumulates:
            gradient = torch.empty_like(parameter)
            parameter.grad = gradient
            ledger.claim([gradient], Holding.GRADIENTS)
        parameter.register_post_accumulate_grad_hook(lambda one: ledger.claim([one.grad], Holding.GRADIENTS))


def _mark_layers(layers: list[nn.Module], ledger: Ledger) -> None:
    """Have the ledger told which part of the step begins."""
    for number, layer in enumerate(layers):
        place = FIRST if number == 0 else LAST if number == len(layers) - 1 else MIDDLE
        is_first, is_last = number == 0, number == len(layers) - 1

        def enter(_: nn.Module, inputs: Any, place: str = place, is_first: bool = is_first) -> None:
            ledger.begin(f"{FORWARD}/{place}")
            if is_first and inputs and isinstance(inputs[0], torch.Tensor) and inputs[0].requires_grad:
                inputs[0].register_hook(lambda _: ledger.begin(f"{BACKWARD}/{EMBEDDING}"))

        def leave(_: nn.Module, __: Any, output: Any, place: str = place, is_last: bool = is_last) -> None:
            result = output[0] if isinstance(output, tuple) else output
            if result.requires_grad:
                result.register_hook(lambda _: ledger.begin(f"{BACKWARD}/{place}"))
            if is_last:
                ledger.begin(f"{FORWARD}/{HEAD}", Holding.LOGITS)

        layer.register_forward_pre_hook(enter)
        layer.register_forward_hook(leave)


def _run(model: Any, ledger: Ledger, execution: Execution, batch: Batch) -> None:
    shape = (batch.rows, batch.tokens)
    ids = torch.empty(shape, dtype=torch.int64)
    inputs: dict[str, Any] = {"input_ids": ids, "labels": torch.empty(shape, dtype=torch.int64), "use_cache": False}
    if batch.masked:
        inputs["attention_mask"] = torch.empty(shape, dtype=torch.int64)
    earlier = _logits_like(model, execution, batch) if execution.keeps_logits else None
    if earlier is not None:
        ledger.claim([earlier], Holding.LOGITS)
    dtype = DTYPES[execution.frozen_dtype] if execution.frozen_dtype != "float32" else torch.bfloat16
    with torch.autocast("cpu", dtype=dtype) if execution.autocast else nullcontext():
        outputs = model(**inputs, **({} if execution.all_logits else {"fused_lm_head": True}))
    del earlier
    loss = outputs.loss
    if not execution.all_logits:
        # As SFTTrainer.compute_loss has it.
        loss = (-outputs.log_probs).sum() / outputs.label_mask.sum().clamp(min=1)
    kept = outputs.logits if execution.keeps_logits else None
    del outputs
    ledger.begin(f"{BACKWARD}/{HEAD}", Holding.LOGITS)
    loss.backward()
    del loss, inputs
    ledger.begin(OPTIMIZER_STEP)
    ledger.add(Holding.OPTIMIZER, moment_bytes(model, execution, cuda=batch.cuda))
    del kept


def _logits_like(model: Any, execution: Execution, batch: Batch) -> torch.Tensor:
    """What the step before has left: logits in the type that products are computed in."""
    dtype = torch.bfloat16 if execution.autocast else next(model.parameters()).dtype
    columns = model.get_output_embeddings().weight.shape[0]
    return torch.empty((batch.rows, batch.tokens, columns), dtype=dtype)
