"""What Unsloth loads, and what it puts an adapter on."""

from collections.abc import Callable
from typing import Any

from tunesmith.config.v1 import method_pb2, model_pb2

from workers.providers.engines import QUANTIZED, bits_of
from workers.providers.execution import held_dtype
from workers.providers.local import soft_prompt
from workers.providers.local.method import ALL_LINEAR, LORA_METHODS, target_modules
from workers.providers.local.model import has_master_weights, quantizes_scales
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
from workers.providers.unsloth.optimizations import checkpointing

# What Unsloth has kernels for; peft's own all-linear is left to peft.
LINEAR_MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

_NO_PROMPT = "Unsloth trains no soft prompts; use LORA with a small rank, or provider local"
METHODS = Choices(
    {
        method_pb2.TRAINING_METHOD_FULL: "FastLanguageModel.from_pretrained gets full_finetuning=True",
        method_pb2.TRAINING_METHOD_LORA: "FastLanguageModel.get_peft_model puts an adapter beside the frozen weights",
        method_pb2.TRAINING_METHOD_QLORA: "FastLanguageModel.from_pretrained gets load_in_4bit=True, or load_in_8bit=True",
    },
    dict.fromkeys(soft_prompt.PEFT_TYPES, _NO_PROMPT),
    REFUSED,
)
_ONLY_SFT = "unsloth is set up for supervised fine-tuning here; use objective SFT, or provider local"
OBJECTIVES = Choices(
    {method_pb2.TRAINING_OBJECTIVE_SFT: "trl.SFTTrainer, as Unsloth patches it"},
    {
        method_pb2.TRAINING_OBJECTIVE_DPO: _ONLY_SFT,
        method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING: _ONLY_SFT,
        method_pb2.TRAINING_OBJECTIVE_CLASSIFICATION: _ONLY_SFT,
        method_pb2.TRAINING_OBJECTIVE_DISTILLATION: _ONLY_SFT,
    },
    REFUSED,
)
PRECISIONS = Choices(
    {
        model_pb2.MODEL_PRECISION_FP32: "from_pretrained gets dtype='float32'",
        model_pb2.MODEL_PRECISION_FP16: "from_pretrained gets dtype='float16'",
        model_pb2.MODEL_PRECISION_BF16: "from_pretrained gets dtype='bfloat16'",
        model_pb2.MODEL_PRECISION_INT8: "from_pretrained gets load_in_8bit=True, and computes in bfloat16",
        model_pb2.MODEL_PRECISION_INT4: "from_pretrained gets load_in_4bit=True, and computes in bfloat16",
    },
    {model_pb2.MODEL_PRECISION_FP8: "Unsloth's 8-bit floats want a server of its own for generating; use BF16 or INT8"},
    REFUSED,
)


def loader(resolved: JobConfiguration) -> dict[str, Any]:
    """For `FastLanguageModel.from_pretrained`. Raises ValueError for what `lower` refuses."""
    method, model = resolved.method, resolved.model
    if method.type not in METHODS.acting or method.objective not in OBJECTIVES.acting or model.precision not in PRECISIONS.acting:
        raise ValueError("the configuration is refused; see its lowering")
    bits, full = bits_of(resolved), method.type == method_pb2.TRAINING_METHOD_FULL
    given: dict[str, Any] = {
        "model_name": model.base_model,
        "max_seq_length": resolved.schedule.sequence_length,
        "dtype": held_dtype(model.precision),
        "load_in_4bit": bits == 4,
        "load_in_8bit": bits == 8,
        "full_finetuning": full,
        "use_gradient_checkpointing": checkpointing(resolved),
        "random_state": resolved.schedule.seed,
        # Its repository may hold a quantized copy under the same name, which is another model.
        "use_exact_model_name": True,
        "trust_remote_code": False,
    }
    if full and model.precision != model_pb2.MODEL_PRECISION_FP32 and has_master_weights(resolved):
        given["float32_mixed_precision"] = True
    return given


def adapter(resolved: JobConfiguration) -> dict[str, Any] | None:
    """For `FastLanguageModel.get_peft_model`; None trains every weight."""
    if resolved.method.type not in LORA_METHODS:
        return None
    lora = resolved.method.lora_config
    modules = target_modules(lora.trainable_modules)
    return {
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": list(LINEAR_MODULES) if modules == ALL_LINEAR else modules,
        "use_dora": lora.use_dora,
        "use_rslora": lora.use_rslora,
        "bias": "none",
        "use_gradient_checkpointing": checkpointing(resolved),
        "random_state": resolved.schedule.seed,
    }


def _precision(resolved: JobConfiguration) -> list[Lowered]:
    if resolved.method.type == method_pb2.TRAINING_METHOD_FULL and resolved.model.precision in QUANTIZED:
        return [Lowered(REFUSED, "quantized weights can't be trained; use BF16, or set method.type to QLORA")]
    return choice(PRECISIONS, lambda configuration: configuration.model.precision)(resolved)


def _double_quantization(resolved: JobConfiguration) -> list[Lowered]:
    if bits_of(resolved) != 4:
        return [Lowered(DROPPED, "only 4-bit weights have scales to quantize; remove it")]
    if quantizes_scales(resolved):
        return [Lowered(SENT, "Unsloth always quantizes the scales of 4-bit weights")]
    return [Lowered(DROPPED, "Unsloth always quantizes the scales of 4-bit weights; remove it, or use provider local")]


def _master_weights(resolved: JobConfiguration) -> list[Lowered]:
    if resolved.method.type != method_pb2.TRAINING_METHOD_FULL:
        return [Lowered(DROPPED, "Unsloth decides what an adapter's own weights are held in; remove it")]
    if has_master_weights(resolved):
        return [Lowered(CONVERTED, "from_pretrained gets float32_mixed_precision=True where the precision has 16 bits")]
    return [Lowered(SENT, "weights are held in what is computed in")]


def _lora(describe: Callable[[method_pb2.LoraConfiguration], Lowered]) -> Rule:
    def rule(resolved: JobConfiguration) -> list[Lowered]:
        if resolved.method.type not in LORA_METHODS:
            return [Lowered(DROPPED, "only LORA and QLORA make an adapter; remove method.lora_config")]
        return [describe(resolved.method.lora_config)]

    return rule


def _given(name: str, value: Callable[[method_pb2.LoraConfiguration], Any]) -> Rule:
    return _lora(lambda lora: Lowered(SENT, f"get_peft_model gets {name}={value(lora)!r}"))


def _modules(lora: method_pb2.LoraConfiguration) -> Lowered:
    modules = target_modules(lora.trainable_modules)
    if modules == ALL_LINEAR:
        return Lowered(CONVERTED, f"get_peft_model gets {', '.join(LINEAR_MODULES)}, which Unsloth has kernels for")
    return Lowered(CONVERTED, f"get_peft_model gets target_modules={modules!r}")


_NO_STRETCH = "Unsloth stretches positions by itself where sequence_length needs it; remove model.rope_scaling"
_NO_PAIRS = "unsloth compares no answers here; use provider local"

RULES: dict[str, Rule] = {
    "model.base_model": sent("FastLanguageModel.from_pretrained gets it as model_name, with use_exact_model_name=True"),
    "model.precision": _precision,
    "model.double_quantization": _double_quantization,
    "model.master_weights": _master_weights,
    "model.rope_scaling.type": refused(_NO_STRETCH),
    "model.rope_scaling.factor": refused(_NO_STRETCH),
    "method.type": choice(METHODS, lambda resolved: resolved.method.type),
    "method.objective": choice(OBJECTIVES, lambda resolved: resolved.method.objective),
    "method.lora_config.rank": _given("r", lambda lora: lora.rank),
    "method.lora_config.alpha": _given("lora_alpha", lambda lora: lora.alpha),
    "method.lora_config.dropout": _given("lora_dropout", lambda lora: lora.dropout),
    "method.lora_config.trainable_modules": _lora(_modules),
    "method.lora_config.use_dora": _given("use_dora", lambda lora: lora.use_dora),
    "method.lora_config.use_rslora": _given("use_rslora", lambda lora: lora.use_rslora),
    **{
        f"method.prompt_tuning_config.{name}": refused(_NO_PROMPT)
        for name in ("num_virtual_tokens", "initial_text", "encoder_hidden_size")
    },
    **{
        f"method.preference_config.{name}": refused(_NO_PAIRS)
        for name in ("beta", "loss", "label_smoothing", "reference_free", "sft_weight")
    },
    **{f"method.distillation_config.{name}": refused(_ONLY_SFT) for name in ("teacher_model", "temperature", "teacher_weight")},
}
