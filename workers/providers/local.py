"""The `local` provider: full and LoRA supervised fine-tuning with transformers, peft and trl on the pool's own device."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from tunesmith.config.v1 import method_pb2, model_pb2, optimizations_pb2, optimizer_pb2, schedule_pb2

from workers.providers.local_datasets import SHAPES, refuse_dataset
from workers.providers.local_plan import (
    DTYPES,
    evaluation_count,
    execution,
    has_master_weights,
    plan,
    sft_arguments,
    target_modules,
)
from workers.providers.provider import (
    CONVERTED,
    DROPPED,
    REFUSED,
    SENT,
    Choices,
    JobConfiguration,
    Lowered,
    NeverActs,
    Provider,
    Rule,
    dropped,
    refused,
)

PROVIDER_ID = "local"

SENT_METHODS = {
    method_pb2.TRAINING_METHOD_FULL: "every weight is trained",
    method_pb2.TRAINING_METHOD_LORA: "peft.LoraConfig makes an adapter beside the frozen weights",
}
REFUSED_METHODS = {
    method_pb2.TRAINING_METHOD_QLORA: "local does not train on quantized weights; use LORA with precision BF16",
    method_pb2.TRAINING_METHOD_PROMPT_TUNING: "local does not train soft prompts; use LORA with a small rank",
}
SENT_OBJECTIVES = {method_pb2.TRAINING_OBJECTIVE_SFT: "trl.SFTTrainer trains on the likelihood of the rows"}
REFUSED_OBJECTIVES = {
    method_pb2.TRAINING_OBJECTIVE_DPO: (
        "local does not optimise preferences; use SFT on the chosen answers, as prompt and completion"
    ),
}
REFUSED_PRECISIONS = {
    model_pb2.MODEL_PRECISION_FP16: "local has no loss scaling, without which FP16 gradients vanish; use BF16 or FP32",
    model_pb2.MODEL_PRECISION_FP8: "local has no 8-bit matrix products; use BF16 or FP32",
    model_pb2.MODEL_PRECISION_INT8: "local does not load quantized weights; use BF16 or FP32",
    model_pb2.MODEL_PRECISION_INT4: "local does not load quantized weights; use BF16 or FP32",
}
SENT_OPTIMIZATIONS = {
    optimizations_pb2.OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING: "SFTConfig gets activation_checkpointing=True",
    optimizations_pb2.OPTIMIZATION_FEATURE_OPTIMIZER_8BIT: (
        "bitsandbytes' AdamW keeps its states in 8 bits; tensors of fewer than 4,096 elements keep 32"
    ),
    optimizations_pb2.OPTIMIZATION_FEATURE_PAGED_OPTIMIZER: (
        "bitsandbytes' paged AdamW; on a CPU its states are in main memory from the start"
    ),
    optimizations_pb2.OPTIMIZATION_FEATURE_DYNAMIC_PADDING: "a batch is padded to its longest row",
}
DROPPED_OPTIMIZATIONS = {
    optimizations_pb2.OPTIMIZATION_FEATURE_FLASH_ATTENTION: (
        "local uses torch's own scaled dot product attention, which picks its kernel by device; remove it"
    ),
    optimizations_pb2.OPTIMIZATION_FEATURE_FUSED_KERNELS: (
        "local brings no fused kernels of its own; remove it, or use GRADIENT_CHECKPOINTING to save memory"
    ),
    optimizations_pb2.OPTIMIZATION_FEATURE_SEQUENCE_PACKING: (
        "packed rows would see each other without a flash attention kernel; use DYNAMIC_PADDING"
    ),
    optimizations_pb2.OPTIMIZATION_FEATURE_ACTIVATION_OFFLOADING: (
        "local keeps activations on the device; use GRADIENT_CHECKPOINTING"
    ),
}
CHOICES: dict[str, Choices] = {
    "method.type": Choices(SENT_METHODS, REFUSED_METHODS, REFUSED),
    "method.objective": Choices(SENT_OBJECTIVES, REFUSED_OBJECTIVES, REFUSED),
    "model.precision": Choices(DTYPES, REFUSED_PRECISIONS, REFUSED),
    "optimizations.enabled": Choices(SENT_OPTIMIZATIONS, DROPPED_OPTIMIZATIONS, DROPPED),
}


def _settings(configuration: JobConfiguration) -> Iterator[str]:
    """Whose settings there are, as suffixes of a path; of one's own each."""
    for key, value in configuration.metadata.fields.items():
        own = value.struct_value.fields if key == PROVIDER_ID else {}
        yield from (f".{key}.{inner}" for inner in own)
        if not own:
            yield f".{key}"


_ONE_DEVICE = "local trains on the first GPU of the pool that leases the job, or on its CPU"
_NO_WANDB = "local does not log to Weights & Biases; read the job's metrics under /v1/jobs/{id}/metrics"
_NO_HUB = "local does not push to a hub; download the job's artifacts and upload them with the hub's own client"
DROPS: dict[str, Rule] = {
    "hardware.gpu_type": dropped(f"{_ONE_DEVICE}; run a pool on the GPU you want"),
    "hardware.num_gpus": dropped(f"{_ONE_DEVICE}; remove it"),
    "hardware.strategy": dropped(f"{_ONE_DEVICE}, so there is nothing to distribute; remove it"),
    "integrations.wandb.project": dropped(_NO_WANDB),
    "integrations.wandb.run_name": dropped(_NO_WANDB),
    "integrations.wandb.credential_id": dropped(_NO_WANDB),
    "integrations.wandb.base_url": dropped(_NO_WANDB),
    "integrations.huggingface.credential_id": dropped(_NO_HUB),
    "integrations.huggingface.output_repo_name": dropped(_NO_HUB),
    "metadata": NeverActs(DROPPED, "local has no settings of its own and reads no other provider's; remove it", _settings),
}
REFUSALS: dict[str, Rule] = {
    "model.double_quantization": refused(REFUSED_PRECISIONS[model_pb2.MODEL_PRECISION_INT4]),
    "method.prompt_tuning_config.num_virtual_tokens": refused(REFUSED_METHODS[method_pb2.TRAINING_METHOD_PROMPT_TUNING]),
}


def _sent(detail: str) -> Rule:
    return lambda _: [Lowered(SENT, detail)]


def _argument(name: str) -> Rule:
    """A field that trl.SFTConfig takes under another name, with the value it gets."""
    return lambda resolved: [Lowered(SENT, f"SFTConfig gets {name}={sft_arguments(resolved)[name]!r}")]


def _choice(path: str) -> Rule:
    """A field of one value some of whose values don't act."""
    section, field = path.split(".")

    def rule(resolved: JobConfiguration) -> list[Lowered]:
        return [_chosen(path, getattr(getattr(resolved, section), field))]

    return rule


def _chosen(path: str, value: int) -> Lowered:
    choices = CHOICES[path]
    return Lowered(SENT, choices.acting[value]) if value in choices.acting else Lowered(choices.action, choices.reason(value))


def _lora(describe: Callable[[method_pb2.LoraConfiguration], Lowered]) -> Rule:
    def rule(resolved: JobConfiguration) -> list[Lowered]:
        if resolved.method.type != method_pb2.TRAINING_METHOD_LORA:
            return [Lowered(DROPPED, "only LORA makes an adapter; remove method.lora_config, or set method.type to LORA")]
        return [describe(resolved.method.lora_config)]

    return rule


def _modules(lora: method_pb2.LoraConfiguration) -> Lowered:
    modules = target_modules(lora.trainable_modules)
    action = SENT if isinstance(modules, str) else CONVERTED
    return Lowered(action, f"LoraConfig gets target_modules={modules!r}")


def _precision(resolved: JobConfiguration) -> list[Lowered]:
    precision = resolved.model.precision
    if precision not in DTYPES:
        return [_chosen("model.precision", precision)]
    if precision == model_pb2.MODEL_PRECISION_FP32:
        return [Lowered(SENT, "weights and arithmetic in float32")]
    if resolved.method.type == method_pb2.TRAINING_METHOD_FULL and not has_master_weights(resolved):
        return [Lowered(SENT, "weights, gradients, optimiser states and arithmetic in bfloat16")]
    if resolved.method.type == method_pb2.TRAINING_METHOD_FULL:
        detail = "arithmetic in bfloat16 and the result saved in it; weights held in float32, as bfloat16 loses small updates"
        return [Lowered(CONVERTED, detail)]
    return [Lowered(SENT, "frozen weights and arithmetic in bfloat16; the adapter's own weights in float32")]


def _master_weights(resolved: JobConfiguration) -> list[Lowered]:
    if resolved.method.type != method_pb2.TRAINING_METHOD_FULL:
        if resolved.model.master_weights:
            return [Lowered(SENT, "the adapter's own weights are held in float32")]
        return [Lowered(DROPPED, "an adapter's own weights are always held in float32, being few; remove it")]
    if has_master_weights(resolved):
        return [Lowered(SENT, "from_pretrained gets dtype='float32', and SFTConfig bf16=True")]
    return [Lowered(SENT, "from_pretrained gets dtype='bfloat16'; updates too small for its 8 bits are rounded away")]


def _epochs(resolved: JobConfiguration) -> list[Lowered]:
    if resolved.schedule.HasField("max_steps"):
        steps = resolved.schedule.max_steps
        return [Lowered(DROPPED, f"max_steps={steps} decides how long the run is; remove one of the two")]
    return _argument("num_train_epochs")(resolved)


def _evaluations(resolved: JobConfiguration) -> list[Lowered]:
    asked, planned = resolved.schedule.evaluations, evaluation_count(resolved)
    if asked and not planned:
        return [Lowered(DROPPED, "there is no validation dataset to evaluate on; set datasets.validation_file_id")]
    if not planned:
        return [Lowered(SENT, "no evaluation")]
    return [Lowered(SENT, f"one evaluation before the first step and {planned} spread evenly over the run")]


def _checkpoints(resolved: JobConfiguration) -> list[Lowered]:
    count = resolved.schedule.checkpoints
    return [Lowered(SENT, f"{count} spread evenly over the run, the last at its end" if count else "only the result is saved")]


def _train_on_inputs(resolved: JobConfiguration) -> list[Lowered]:
    value = resolved.schedule.train_on_inputs
    if value == schedule_pb2.TRAIN_ON_INPUTS_ENABLED:
        return [Lowered(SENT, "every token counts in the loss")]
    answers_only = "only the answers' tokens count in the loss where a row has a prompt; all of a text row counts"
    return [Lowered(CONVERTED if value == schedule_pb2.TRAIN_ON_INPUTS_AUTO else SENT, answers_only)]


def _scheduler_type(resolved: JobConfiguration) -> list[Lowered]:
    arguments = sft_arguments(resolved)
    name, details = arguments["lr_scheduler_type"], arguments["lr_scheduler_kwargs"]
    shown = f" and lr_scheduler_kwargs={details!r}" if details else ""
    return [Lowered(SENT, f"SFTConfig gets lr_scheduler_type={name!r}{shown}")]


def _min_lr_ratio(resolved: JobConfiguration) -> list[Lowered]:
    scheduler = resolved.optimizer.scheduler
    name = optimizer_pb2.LrSchedulerType.Name(scheduler.type).removeprefix("LR_SCHEDULER_TYPE_")
    if scheduler.type in (
        optimizer_pb2.LR_SCHEDULER_TYPE_CONSTANT,
        optimizer_pb2.LR_SCHEDULER_TYPE_CONSTANT_WITH_WARMUP,
    ):
        return [Lowered(DROPPED, f"a {name} rate does not fall; remove it, or use COSINE, LINEAR or POLYNOMIAL")]
    end = resolved.optimizer.learning_rate * scheduler.min_lr_ratio
    return [Lowered(CONVERTED, f"the rate falls to {end:g}")]


def _warmup_ratio(resolved: JobConfiguration) -> list[Lowered]:
    scheduler = resolved.optimizer.scheduler
    if scheduler.warmup_ratio == 0:
        return [Lowered(SENT, "no warm-up")]
    if scheduler.type == optimizer_pb2.LR_SCHEDULER_TYPE_CONSTANT:
        return [Lowered(DROPPED, "a CONSTANT rate takes no warm-up; use CONSTANT_WITH_WARMUP, or remove it")]
    detail = "SFTConfig gets it as warmup_steps, which below 1 is a share of the run, rounded up to whole steps"
    return [Lowered(CONVERTED, detail)]


def _cycles(resolved: JobConfiguration) -> list[Lowered]:
    scheduler = resolved.optimizer.scheduler
    if scheduler.type != optimizer_pb2.LR_SCHEDULER_TYPE_COSINE:
        return [Lowered(DROPPED, "cycles only act with a COSINE rate; remove it, or set the type to COSINE")]
    return [Lowered(SENT, f"the scheduler gets num_cycles={scheduler.cycles:g}")]


def _max_gradient_norm(resolved: JobConfiguration) -> list[Lowered]:
    if resolved.optimizer.max_gradient_norm == 0:
        return [Lowered(SENT, "gradients are not clipped")]
    return _argument("max_grad_norm")(resolved)


def _optimizations(resolved: JobConfiguration) -> list[Lowered]:
    lowered = []
    for index, feature in enumerate(resolved.optimizations.enabled):
        chosen = _chosen("optimizations.enabled", feature)
        name = optimizations_pb2.OptimizationFeature.Name(feature).removeprefix("OPTIMIZATION_FEATURE_")
        lowered.append(Lowered(chosen.action, f"{name}: {chosen.detail}", f"[{index}]"))
    return lowered


ACTS: dict[str, Rule] = {
    "model.base_model": _sent("AutoModelForCausalLM.from_pretrained loads its safetensors"),
    "model.precision": _precision,
    "model.master_weights": _master_weights,
    "datasets.training_file_id": _sent("its rows are trl's training dataset"),
    "datasets.validation_file_id": _sent("its rows are trl's evaluation dataset"),
    "datasets.strategy": _sent("it has to fit the dataset's format, which decides how a row becomes text"),
    "method.type": _choice("method.type"),
    "method.lora_config.rank": _lora(lambda lora: Lowered(SENT, f"LoraConfig gets r={lora.rank}")),
    "method.lora_config.alpha": _lora(lambda lora: Lowered(SENT, f"LoraConfig gets lora_alpha={lora.alpha}")),
    "method.lora_config.dropout": _lora(lambda lora: Lowered(SENT, f"LoraConfig gets lora_dropout={lora.dropout:g}")),
    "method.lora_config.trainable_modules": _lora(_modules),
    "method.objective": _choice("method.objective"),
    "schedule.epochs": _epochs,
    "schedule.batch_size": _argument("per_device_train_batch_size"),
    "schedule.sequence_length": _argument("max_length"),
    "schedule.gradient_accumulation": _argument("gradient_accumulation_steps"),
    "schedule.checkpoints": _checkpoints,
    "schedule.evaluations": _evaluations,
    "schedule.train_on_inputs": _train_on_inputs,
    "schedule.max_steps": _argument("max_steps"),
    "schedule.seed": _argument("seed"),
    "optimizer.learning_rate": _argument("learning_rate"),
    "optimizer.scheduler.type": _scheduler_type,
    "optimizer.scheduler.min_lr_ratio": _min_lr_ratio,
    "optimizer.scheduler.warmup_ratio": _warmup_ratio,
    "optimizer.scheduler.cycles": _cycles,
    "optimizer.weight_decay": _argument("weight_decay"),
    "optimizer.max_gradient_norm": _max_gradient_norm,
    "optimizations.enabled": _optimizations,
    "output.suffix": _sent("the result's model card is titled with it"),
}


def translate(configuration: JobConfiguration) -> dict[str, Any]:
    """What transformers, peft and trl are given."""
    return asdict(plan(configuration))


LOCAL = Provider(
    id=PROVIDER_ID,
    display_name="Local (transformers, peft and trl on a Ray cluster)",
    rules=ACTS | DROPS | REFUSALS,
    choices=CHOICES,
    dataset_formats=tuple(SHAPES),
    translate=translate,
    refuse_dataset=refuse_dataset,
    execution=execution,
)
