"""How a trainer runs a configuration: what its weights are held in, what its loss is computed from, which kernels it takes.

Plain facts, so that an estimate of memory or time needs no trainer.
"""

from dataclasses import dataclass
from typing import Any, Literal

from tunesmith.config.v1 import method_pb2, model_pb2, optimizations_pb2

Dtype = Literal["float32", "bfloat16", "float16"]
Attention = Literal["sdpa", "flash", "eager"]

BYTES: dict[str, int] = {"float32": 4, "bfloat16": 2, "float16": 2}
# What torch's AdamW keeps in parts of a group at a time, and what it does in one kernel.
ADAMW, FUSED_ADAMW = "adamw_torch", "adamw_torch_fused"


@dataclass(frozen=True)
class Execution:
    """What a trainer does that decides about memory and time."""

    # Whether the loss is computed from the logits of all tokens at once; if not, from `loss_tokens` × `loss_columns` at a time.
    all_logits: bool
    # What weights that do not move are held in; of quantized ones, what the others and their products are in.
    frozen_dtype: Dtype
    # What weights that are all trained are held in.
    trained_dtype: Dtype
    # What the weights of an adapter or a soft prompt are held in.
    adapter_dtype: Dtype
    # Whether products are computed in 16 bits by autocast, whatever the weights are held in.
    autocast: bool
    attention: Attention
    # As transformers names it: `adamw_torch_fused`, `adamw_torch`, `adamw_bnb_8bit`, `paged_adamw_32bit`, `paged_adamw_8bit`.
    optimizer: str
    # Whether activations of a layer are computed again in the backward pass.
    checkpointing: bool
    # Whether several rows share a sequence, so that there is no padding.
    packing: bool = False
    # Whether a batch is padded to its longest row only, and not to the sequence length.
    dynamic_padding: bool = False
    # Whether rows of about the same length share a batch, so that there is next to no padding.
    length_grouping: bool = False
    # Whether activations wait in main memory, where a GPU computes them.
    offloading: bool = False
    # Whether norms, rotations and losses run in kernels that keep nothing in between.
    fused_kernels: bool = False
    # Bits of quantized frozen weights; 0 if they are not quantized.
    quantization_bits: int = 0
    double_quantization: bool = False
    # Tokens and vocabulary entries of one part of the loss; of no meaning with all logits.
    loss_tokens: int = 0
    loss_columns: int = 0
    # Whether gradients stay from one step to the beginning of the next, and count in between.
    keeps_gradients: bool = False
    # Whether the logits of a step stay referenced until the next one replaces them.
    keeps_logits: bool = False

    @property
    def optimizer_bits(self) -> int:
        """What the optimiser's states are kept in: 8, or 32 for as wide as the weights."""
        return 8 if "8bit" in self.optimizer else 32

    @property
    def paged(self) -> bool:
        """Whether the optimiser's states may move to main memory."""
        return self.optimizer.startswith("paged")


def plain_loop(resolved: Any) -> Execution:
    """A loop of transformers and peft as their examples write it: stock loss from all logits, weights in the model's precision,
    no autocast unless weights that move are held in float32, torch's own AdamW.

    Such is the loop behind peft's published figures.
    """
    enabled, model, method = set(resolved.optimizations.enabled), resolved.model, resolved.method.type
    dtype = held_dtype(model.precision)
    full = method == method_pb2.TRAINING_METHOD_FULL
    masters = full and dtype != "float32" and model.master_weights
    return Execution(
        all_logits=True,
        frozen_dtype=dtype,
        trained_dtype="float32" if masters else dtype,
        adapter_dtype="float32",
        autocast=masters,
        attention="flash" if optimizations_pb2.OPTIMIZATION_FEATURE_FLASH_ATTENTION in enabled else "sdpa",
        optimizer=optimizer_name(enabled, ADAMW),
        checkpointing=optimizations_pb2.OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING in enabled,
        packing=optimizations_pb2.OPTIMIZATION_FEATURE_SEQUENCE_PACKING in enabled,
        dynamic_padding=optimizations_pb2.OPTIMIZATION_FEATURE_DYNAMIC_PADDING in enabled,
        length_grouping=optimizations_pb2.OPTIMIZATION_FEATURE_LENGTH_GROUPING in enabled,
        offloading=optimizations_pb2.OPTIMIZATION_FEATURE_ACTIVATION_OFFLOADING in enabled,
        fused_kernels=optimizations_pb2.OPTIMIZATION_FEATURE_FUSED_KERNELS in enabled,
        quantization_bits=quantization_bits(resolved),
        double_quantization=not model.HasField("double_quantization") or model.double_quantization,
        keeps_gradients=True,
        keeps_logits=True,
    )


def held_dtype(precision: model_pb2.ModelPrecision) -> Dtype:
    """What a configuration's precision means for weights that are not quantized."""
    if precision == model_pb2.MODEL_PRECISION_FP32:
        return "float32"
    return "float16" if precision == model_pb2.MODEL_PRECISION_FP16 else "bfloat16"


def quantization_bits(resolved: Any) -> int:
    """Bits of a frozen weight: 4 or 8 if QLoRA quantizes it, 0 if not."""
    if resolved.method.type != method_pb2.TRAINING_METHOD_QLORA:
        return 0
    return 8 if resolved.model.precision == model_pb2.MODEL_PRECISION_INT8 else 4


def optimizer_name(enabled: set[Any], unchanged: str) -> str:
    """AdamW as transformers names it, by the optimisations that are on; `unchanged` is what runs without any."""
    eight_bit = optimizations_pb2.OPTIMIZATION_FEATURE_OPTIMIZER_8BIT in enabled
    paged = optimizations_pb2.OPTIMIZATION_FEATURE_PAGED_OPTIMIZER in enabled
    names = {
        (False, False): unchanged,
        (True, False): "adamw_bnb_8bit",
        (False, True): "paged_adamw_32bit",
        (True, True): "paged_adamw_8bit",
    }
    return names[eight_bit, paged]
