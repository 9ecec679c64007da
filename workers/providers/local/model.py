"""What weights are loaded and held in, and how far positions reach."""

from typing import Any

from tunesmith.config.v1 import method_pb2, model_pb2

from workers.providers.execution import Dtype, held_dtype, quantization_bits
from workers.providers.local.rules import chosen, sent
from workers.providers.provider import CONVERTED, DROPPED, REFUSED, SENT, Choices, JobConfiguration, Lowered, Rule

# How a precision is said; those of integers only store what QLoRA freezes.
SENT_PRECISIONS: dict[model_pb2.ModelPrecision, str] = {
    model_pb2.MODEL_PRECISION_FP32: "weights and arithmetic in float32",
    model_pb2.MODEL_PRECISION_FP16: "arithmetic in float16 with loss scaling, on a GPU; a pool without one fails the job",
    model_pb2.MODEL_PRECISION_BF16: "arithmetic in bfloat16",
    model_pb2.MODEL_PRECISION_INT8: "frozen weights in 8-bit integers, arithmetic in bfloat16",
    model_pb2.MODEL_PRECISION_INT4: "frozen weights in 4-bit normal floats, arithmetic in bfloat16",
}
REFUSED_PRECISIONS = {
    model_pb2.MODEL_PRECISION_FP8: (
        "local has no 8-bit matrix products: neither transformers nor trl trains with them here; use BF16 or FP32"
    ),
}
PRECISIONS = Choices(SENT_PRECISIONS, REFUSED_PRECISIONS, REFUSED)
INTEGERS = {model_pb2.MODEL_PRECISION_INT8, model_pb2.MODEL_PRECISION_INT4}

# As transformers names them.
ROPE_TYPES: dict[model_pb2.RopeType, str] = {
    model_pb2.ROPE_TYPE_LINEAR: "linear",
    model_pb2.ROPE_TYPE_DYNAMIC: "dynamic",
    model_pb2.ROPE_TYPE_YARN: "yarn",
}
# Published families whose positions are learnt, biased or none at all, or turned in a way of their own: nothing that could be
# stretched. A test asks
# transformers; other families are found out by the worker.
WITHOUT_ROTARY_POSITIONS = frozenset(
    {
        "biogpt",
        "bloom",
        "codegen",
        "gpt2",
        "gpt_bigcode",
        "gpt_neo",
        "gptj",
        "mamba",
        "mamba2",
        "mpt",
        "openai-gpt",
        "opt",
        "rwkv",
        "xglm",
    }
)


def arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """For the trainer's configuration."""
    dtype = held_dtype(resolved.model.precision)
    return {
        # Autocast, which has nothing left to cast where all weights are bfloat16.
        "bf16": dtype == "bfloat16" and not _all_in_bfloat16(resolved),
        # The same in float16, with the loss scaled so that small gradients don't vanish.
        "fp16": dtype == "float16",
    }


def loading(resolved: JobConfiguration) -> dict[str, Any]:
    """For `from_pretrained`, of which the worker makes two into objects: `quantization_config`, there with QLoRA, for
    `BitsAndBytesConfig`, and `rope_scaling`, there if positions are stretched, for the model's configuration.

    The dtype is what weights are held in while training: with BF16, frozen weights are bfloat16, but weights that move stay
    float32, because bfloat16's 8 bits round small updates away; unless master_weights says that half the memory is worth more.
    Beside quantized weights it is what the others are held in.
    """
    dtype = saved_dtype(resolved)
    adapter = resolved.method.type != method_pb2.TRAINING_METHOD_FULL
    held = dtype if adapter or not has_master_weights(resolved) else "float32"
    given: dict[str, Any] = {"dtype": held, "use_safetensors": True, "trust_remote_code": False}
    if quantization_bits(resolved):
        given["quantization_config"] = _quantization(resolved)
    if resolved.model.HasField("rope_scaling"):
        rope = resolved.model.rope_scaling
        given["rope_scaling"] = {"rope_type": ROPE_TYPES[rope.type], "factor": rope.factor}
    return given


def saved_dtype(resolved: JobConfiguration) -> str:
    """What a fully trained model is saved in; an adapter is saved as it was trained. Raises ValueError if `lower` refuses."""
    refusal = _precision_refused(resolved)
    if refusal:
        name = model_pb2.ModelPrecision.Name(resolved.model.precision)
        raise ValueError(f"model.precision {name} is refused: {refusal}")
    return held_dtype(resolved.model.precision)


def has_master_weights(resolved: JobConfiguration) -> bool:
    """Whether weights that move are held in float32. Unset: yes, where nobody has looked whether memory allows. Only gradients of
    float32 weights can be unscaled, so FP16 always has them.
    """
    model = resolved.model
    return not model.HasField("master_weights") or model.master_weights or model.precision != model_pb2.MODEL_PRECISION_BF16


def trained_dtype(resolved: JobConfiguration) -> Dtype:
    """What weights that are all trained are held in."""
    return "float32" if has_master_weights(resolved) else held_dtype(resolved.model.precision)


def quantizes_scales(resolved: JobConfiguration) -> bool:
    """Whether the scales of 4-bit weights are quantized too. Unset: yes."""
    return not resolved.model.HasField("double_quantization") or resolved.model.double_quantization


def _quantization(resolved: JobConfiguration) -> dict[str, Any]:
    if quantization_bits(resolved) == 8:
        return {"load_in_8bit": True}
    return {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": quantizes_scales(resolved),
        "bnb_4bit_compute_dtype": held_dtype(resolved.model.precision),
    }


def _all_in_bfloat16(resolved: JobConfiguration) -> bool:
    return resolved.method.type == method_pb2.TRAINING_METHOD_FULL and not has_master_weights(resolved)


def _precision_refused(resolved: JobConfiguration) -> str:
    """Why a precision can't be trained in; empty if it can."""
    precision, method = resolved.model.precision, resolved.method
    if precision not in SENT_PRECISIONS:
        return PRECISIONS.reason(precision)
    if method.type != method_pb2.TRAINING_METHOD_QLORA:
        if precision in INTEGERS:
            return "integers only store the frozen weights of QLORA; use method.type QLORA, or precision BF16"
        return ""
    if precision == model_pb2.MODEL_PRECISION_FP16:
        return "trl holds QLORA's adapter in bfloat16, whose gradients no loss scaling unscales; use INT4"
    if precision == model_pb2.MODEL_PRECISION_INT8 and method.lora_config.use_dora:
        return "peft reads 8-bit weights for DoRA in a way that bitsandbytes loses their scales; use INT4, or leave out use_dora"
    return ""


def _precision(resolved: JobConfiguration) -> list[Lowered]:
    precision, method = resolved.model.precision, resolved.method.type
    refusal = _precision_refused(resolved)
    if refusal:
        return [Lowered(REFUSED, refusal)]
    said = chosen(PRECISIONS, precision).detail
    if method == method_pb2.TRAINING_METHOD_QLORA:
        if precision in INTEGERS:
            return [Lowered(SENT, f"{said}; the adapter's own weights in bfloat16")]
        held = held_dtype(precision)
        return [Lowered(CONVERTED, f"QLORA stores frozen weights in 4-bit normal floats; other weights and arithmetic in {held}")]
    if precision == model_pb2.MODEL_PRECISION_FP32:
        return [Lowered(SENT, said)]
    held = held_dtype(precision)
    if method != method_pb2.TRAINING_METHOD_FULL:
        return [Lowered(SENT, f"{said}; frozen weights in {held}, the adapter's own weights in float32")]
    if has_master_weights(resolved):
        return [Lowered(CONVERTED, f"{said} and the result saved in it; weights held in float32, as {held} loses small updates")]
    return [Lowered(SENT, "weights, gradients, optimiser states and arithmetic in bfloat16")]


def _double_quantization(resolved: JobConfiguration) -> list[Lowered]:
    if quantization_bits(resolved) != 4:
        return [Lowered(DROPPED, "only 4-bit weights have scales worth quantizing; remove it, or use QLORA with precision INT4")]
    return [Lowered(SENT, f"BitsAndBytesConfig gets bnb_4bit_use_double_quant={quantizes_scales(resolved)}")]


def _master_weights(resolved: JobConfiguration) -> list[Lowered]:
    if resolved.method.type != method_pb2.TRAINING_METHOD_FULL:
        if quantization_bits(resolved):
            return [Lowered(DROPPED, "trl holds the adapter's own weights beside quantized ones in bfloat16; remove it")]
        if resolved.model.master_weights:
            return [Lowered(SENT, "the adapter's own weights are held in float32")]
        return [Lowered(DROPPED, "an adapter's own weights are always held in float32, being few; remove it")]
    if resolved.model.precision == model_pb2.MODEL_PRECISION_FP16 and not resolved.model.master_weights:
        return [Lowered(DROPPED, "loss scaling needs weights held in float32; remove it, or set the precision to BF16")]
    if has_master_weights(resolved):
        autocast = "fp16" if resolved.model.precision == model_pb2.MODEL_PRECISION_FP16 else "bf16"
        return [Lowered(SENT, f"from_pretrained gets dtype='float32', and the trainer {autocast}=True")]
    return [Lowered(SENT, "from_pretrained gets dtype='bfloat16'; updates too small for its 8 bits are rounded away")]


_OF_FULL = "the saved model's configuration says so"
_OF_ADAPTER = "an adapter does not carry it: its model card says what to load the base model with"


def _rope_type(resolved: JobConfiguration) -> list[Lowered]:
    full = resolved.method.type == method_pb2.TRAINING_METHOD_FULL
    name = ROPE_TYPES[resolved.model.rope_scaling.type]
    return [Lowered(SENT, f"the model's configuration gets rope_type={name!r}; {_OF_FULL if full else _OF_ADAPTER}")]


def _rope_factor(resolved: JobConfiguration) -> list[Lowered]:
    factor = resolved.model.rope_scaling.factor
    return [Lowered(SENT, f"the model's configuration gets factor={factor:g}, and positions for {factor:g} times as many tokens")]


RULES: dict[str, Rule] = {
    "model.base_model": sent("from_pretrained loads its safetensors"),
    "model.precision": _precision,
    "model.double_quantization": _double_quantization,
    "model.master_weights": _master_weights,
    "model.rope_scaling.type": _rope_type,
    "model.rope_scaling.factor": _rope_factor,
}
