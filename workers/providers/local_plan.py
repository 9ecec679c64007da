"""What transformers, peft and trl are given for a configuration, as plain data and without importing any of them."""

import math
from dataclasses import dataclass
from typing import Any

from tunesmith.config.v1 import method_pb2, model_pb2, optimizations_pb2, optimizer_pb2
from tunesmith.registry.v1 import dataset_pb2

from workers.providers.execution import FUSED_ADAMW, Execution, held_dtype, optimizer_name, quantization_bits
from workers.providers.local_datasets import loss_arguments
from workers.providers.provider import JobConfiguration

DTYPES: dict[model_pb2.ModelPrecision, str] = {
    model_pb2.MODEL_PRECISION_FP32: "float32",
    model_pb2.MODEL_PRECISION_BF16: "bfloat16",
}
ALL_LINEAR = "all-linear"
ONE_FALL = 0.5
PARABOLA = 2.0
LINE = 1.0

# What trl computes at once of the loss: `TOKEN_CHUNK_SIZE` and `_CHUNKED_LOGPROB_CHUNK_SIZE` there. A test compares them.
LOSS_TOKENS, LOSS_COLUMNS = 4096, 32768

# Below one, transformers reads warmup_steps as a share of the run; from one on, as a number of steps. A warm-up over the whole
# run would become a warm-up of a single step.
WHOLE_RUN = math.nextafter(1.0, 0.0)


@dataclass(frozen=True)
class TrainingPlan:
    """Keyword arguments for the libraries that train, and what the recipe does around them."""

    # For AutoModelForCausalLM.from_pretrained. The dtype is what weights are held in while training: with BF16, frozen weights
    # are bfloat16, but weights that move stay float32, because bfloat16's 8 bits round small updates away; unless
    # master_weights says that half the memory is worth more.
    weights: dict[str, Any]
    # For trl.SFTConfig.
    sft: dict[str, Any]
    # For peft.LoraConfig; None trains every weight.
    lora: dict[str, Any] | None
    # What a fully trained model is saved in; an adapter is saved as it was trained, in float32.
    saved_dtype: str
    checkpoints: int
    evaluations: int


def plan(configuration: JobConfiguration, dataset_format: dataset_pb2.DatasetFormat | None = None) -> TrainingPlan:
    """Translate a configuration whose defaults are resolved.

    Raises ValueError for a method, objective or precision that `lower` refuses.

    Which tokens count in the loss depends on the training dataset's format; without one, those two arguments are left out.
    """
    dtype = _dtype(configuration.model.precision)
    lora = _lora(configuration.method)
    held = dtype if lora is not None or not has_master_weights(configuration) else "float32"
    sft = sft_arguments(configuration)
    if dataset_format is not None:
        sft |= loss_arguments(dataset_format, configuration.schedule.train_on_inputs)
    return TrainingPlan(
        weights={"dtype": held, "use_safetensors": True, "trust_remote_code": False},
        sft=sft,
        lora=lora,
        saved_dtype=dtype,
        checkpoints=configuration.schedule.checkpoints,
        evaluations=evaluation_count(configuration),
    )


def sft_arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """For trl.SFTConfig, of a configuration whose defaults are resolved."""
    schedule, optimizer = resolved.schedule, resolved.optimizer
    enabled = set(resolved.optimizations.enabled)
    checkpointing = optimizations_pb2.OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING in enabled
    dynamic_padding = optimizations_pb2.OPTIMIZATION_FEATURE_DYNAMIC_PADDING in enabled
    return {
        **_length_of_run(resolved),
        "per_device_train_batch_size": schedule.batch_size,
        "per_device_eval_batch_size": schedule.batch_size,
        "gradient_accumulation_steps": schedule.gradient_accumulation,
        "max_length": schedule.sequence_length,
        "pad_to_multiple_of": None if dynamic_padding else schedule.sequence_length,
        "packing": False,
        "learning_rate": optimizer.learning_rate,
        **scheduler_arguments(optimizer),
        "weight_decay": optimizer.weight_decay,
        "max_grad_norm": optimizer.max_gradient_norm,
        "optim": optimizer_name(enabled, FUSED_ADAMW),
        # Autocast, which has nothing left to cast where all weights are bfloat16.
        "bf16": resolved.model.precision == model_pb2.MODEL_PRECISION_BF16 and not _all_in_bfloat16(resolved),
        # What transformers calls gradient checkpointing from version 6 on; trl would switch it on by itself.
        "activation_checkpointing": checkpointing,
        "activation_checkpointing_kwargs": {"use_reentrant": False} if checkpointing else None,
        "seed": schedule.seed,
        "eval_on_start": evaluation_count(resolved) > 0,
        "logging_steps": 1,
        # A loss that is not a number ends the job instead of being averaged away.
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def has_master_weights(resolved: JobConfiguration) -> bool:
    """Whether weights that move are held in float32. Unset: yes, where nobody has looked whether memory allows."""
    model = resolved.model
    return not model.HasField("master_weights") or model.master_weights or model.precision == model_pb2.MODEL_PRECISION_FP32


def execution(resolved: JobConfiguration) -> Execution:
    """How the recipe runs a configuration; of one that it refuses, how it would."""
    arguments = sft_arguments(resolved)
    dtype = held_dtype(resolved.model.precision)
    return Execution(
        all_logits=False,
        frozen_dtype=dtype,
        trained_dtype="float32" if has_master_weights(resolved) else dtype,
        # trl casts what stands beside quantized weights.
        adapter_dtype="bfloat16" if quantization_bits(resolved) else "float32",
        autocast=arguments["bf16"],
        # What transformers asks torch for unless told otherwise.
        attention="sdpa",
        optimizer=arguments["optim"],
        checkpointing=arguments["activation_checkpointing"],
        packing=arguments["packing"],
        dynamic_padding=arguments["pad_to_multiple_of"] is None,
        quantization_bits=quantization_bits(resolved),
        double_quantization=not resolved.model.HasField("double_quantization") or resolved.model.double_quantization,
        loss_tokens=LOSS_TOKENS,
        loss_columns=LOSS_COLUMNS,
    )


def scheduler_arguments(optimizer: optimizer_pb2.Optimizer) -> dict[str, Any]:
    """The learning rate's curve, as transformers spells it."""
    scheduler = optimizer.scheduler
    name, arguments = _curve(optimizer)
    constant = scheduler.type == optimizer_pb2.LR_SCHEDULER_TYPE_CONSTANT
    return {
        "lr_scheduler_type": name,
        "lr_scheduler_kwargs": arguments,
        "warmup_steps": 0.0 if constant else min(scheduler.warmup_ratio, WHOLE_RUN),
    }


def evaluation_count(resolved: JobConfiguration) -> int:
    """Evaluations after the first step; none without a validation dataset."""
    return resolved.schedule.evaluations if resolved.datasets.HasField("validation_file_id") else 0


def _curve(optimizer: optimizer_pb2.Optimizer) -> tuple[str, dict[str, Any] | None]:
    scheduler = optimizer.scheduler
    if scheduler.type == optimizer_pb2.LR_SCHEDULER_TYPE_CONSTANT:
        return "constant", None
    if scheduler.type == optimizer_pb2.LR_SCHEDULER_TYPE_CONSTANT_WITH_WARMUP:
        return "constant_with_warmup", None
    if scheduler.type == optimizer_pb2.LR_SCHEDULER_TYPE_COSINE:
        cycles = scheduler.cycles if scheduler.HasField("cycles") else ONE_FALL
        if scheduler.min_lr_ratio == 0:
            return "cosine", {"num_cycles": cycles}
        return "cosine_with_min_lr", {"num_cycles": cycles, "min_lr_rate": scheduler.min_lr_ratio}
    if scheduler.min_lr_ratio >= 1:
        # The polynomial curve insists on an end below its start.
        return "constant_with_warmup", None
    power = PARABOLA if scheduler.type == optimizer_pb2.LR_SCHEDULER_TYPE_POLYNOMIAL else LINE
    if power == LINE and scheduler.min_lr_ratio == 0:
        return "linear", None
    return "polynomial", {"power": power, "lr_end": optimizer.learning_rate * scheduler.min_lr_ratio}


def _length_of_run(resolved: JobConfiguration) -> dict[str, Any]:
    if resolved.schedule.HasField("max_steps"):
        return {"max_steps": resolved.schedule.max_steps}
    return {"num_train_epochs": resolved.schedule.epochs}


def _all_in_bfloat16(resolved: JobConfiguration) -> bool:
    return (
        resolved.method.type == method_pb2.TRAINING_METHOD_FULL
        and resolved.model.precision == model_pb2.MODEL_PRECISION_BF16
        and not has_master_weights(resolved)
    )


def _dtype(precision: model_pb2.ModelPrecision) -> str:
    if precision not in DTYPES:
        raise ValueError(f"model.precision {model_pb2.ModelPrecision.Name(precision)} is refused; use BF16 or FP32")
    return DTYPES[precision]


def _lora(method: method_pb2.Method) -> dict[str, Any] | None:
    if method.objective != method_pb2.TRAINING_OBJECTIVE_SFT:
        raise ValueError(f"method.objective {method_pb2.TrainingObjective.Name(method.objective)} is refused; use SFT")
    if method.type == method_pb2.TRAINING_METHOD_FULL:
        return None
    if method.type != method_pb2.TRAINING_METHOD_LORA:
        raise ValueError(f"method.type {method_pb2.TrainingMethod.Name(method.type)} is refused; use FULL or LORA")
    return {
        "r": method.lora_config.rank,
        "lora_alpha": method.lora_config.alpha,
        "lora_dropout": method.lora_config.dropout,
        "target_modules": target_modules(method.lora_config.trainable_modules),
        "bias": "none",
        "task_type": "CAUSAL_LM",
    }


def target_modules(trainable_modules: str) -> str | list[str]:
    """`all-linear` as it is, names with commas as a list."""
    if trainable_modules == ALL_LINEAR:
        return ALL_LINEAR
    return [name.strip() for name in trainable_modules.split(",")]
