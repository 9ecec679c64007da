"""What weights are loaded and computed in."""

from typing import Any

from tunesmith.config.v1 import method_pb2, model_pb2

from workers.providers.engines import QUANTIZED, bits_of
from workers.providers.local.rules import choice, sent
from workers.providers.provider import (
    CONVERTED,
    DROPPED,
    REFUSED,
    SENT,
    Choices,
    JobConfiguration,
    Lowered,
    Rule,
    refused,
)

_QUANTIZED = "Axolotl loads the frozen weights in {} bits, and computes in bfloat16"
PRECISIONS = Choices(
    {
        model_pb2.MODEL_PRECISION_FP32: "Axolotl gets bf16, fp16 and tf32 as false",
        model_pb2.MODEL_PRECISION_FP16: "Axolotl gets fp16=True",
        model_pb2.MODEL_PRECISION_BF16: "Axolotl gets bf16=True",
        model_pb2.MODEL_PRECISION_FP8: "Axolotl gets fp8=True and compiles the model",
        model_pb2.MODEL_PRECISION_INT8: _QUANTIZED.format(8),
        model_pb2.MODEL_PRECISION_INT4: _QUANTIZED.format(4),
    },
    {},
    REFUSED,
)
_FORMATS: dict[model_pb2.ModelPrecision, dict[str, Any]] = {
    model_pb2.MODEL_PRECISION_FP32: {"bf16": False, "fp16": False, "tf32": False},
    model_pb2.MODEL_PRECISION_FP16: {"bf16": False, "fp16": True},
    model_pb2.MODEL_PRECISION_FP8: {"bf16": True, "fp8": True, "torch_compile": True},
}


def arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """As Axolotl's schema has it."""
    model = resolved.model
    given: dict[str, Any] = {"base_model": model.base_model, "trust_remote_code": False}
    given |= _FORMATS.get(model.precision, {"bf16": True})
    bits = bits_of(resolved)
    if bits:
        given[f"load_in_{bits}bit"] = True
    if bits == 4 and model.HasField("double_quantization"):
        given["bnb_config_kwargs"] = {"bnb_4bit_use_double_quant": model.double_quantization}
    if resolved.method.type != method_pb2.TRAINING_METHOD_FULL and model.HasField("master_weights"):
        given["peft_autocast_adapter_dtype"] = model.master_weights
    return given


def _precision(resolved: JobConfiguration) -> list[Lowered]:
    if resolved.method.type == method_pb2.TRAINING_METHOD_FULL and resolved.model.precision in QUANTIZED:
        return [Lowered(REFUSED, "quantized weights can't be trained; use BF16, or set method.type to QLORA")]
    return choice(PRECISIONS, lambda configuration: configuration.model.precision)(resolved)


def _double_quantization(resolved: JobConfiguration) -> list[Lowered]:
    if bits_of(resolved) != 4:
        return [Lowered(DROPPED, "only 4-bit weights have scales to quantize; remove it")]
    value = resolved.model.double_quantization
    return [Lowered(CONVERTED, f"Axolotl gets bnb_config_kwargs={{'bnb_4bit_use_double_quant': {value}}}")]


def _master_weights(resolved: JobConfiguration) -> list[Lowered]:
    if resolved.method.type != method_pb2.TRAINING_METHOD_FULL:
        return [Lowered(CONVERTED, f"Axolotl gets peft_autocast_adapter_dtype={resolved.model.master_weights}")]
    if resolved.model.master_weights and resolved.model.precision != model_pb2.MODEL_PRECISION_FP32:
        detail = "Axolotl holds weights in what it computes in; use FP32, or provider local, if small updates must not be rounded"
        return [Lowered(DROPPED, detail)]
    return [Lowered(SENT, "Axolotl holds weights in what it computes in")]


_NO_STRETCH = "Axolotl's YAML replaces a model's positions as a whole and can't stretch them; use provider local"

RULES: dict[str, Rule] = {
    "model.base_model": sent("Axolotl gets it as base_model"),
    "model.precision": _precision,
    "model.double_quantization": _double_quantization,
    "model.master_weights": _master_weights,
    "model.rope_scaling.type": refused(_NO_STRETCH),
    "model.rope_scaling.factor": refused(_NO_STRETCH),
}
