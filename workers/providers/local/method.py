"""Which weights move, and what is optimised."""

from collections.abc import Callable
from typing import Any

from tunesmith.config.v1 import method_pb2

from workers.providers.local import classification, distillation, preference, soft_prompt
from workers.providers.local.rules import choice, chosen
from workers.providers.provider import (
    CONVERTED,
    DROPPED,
    REFUSED,
    SENT,
    Choices,
    JobConfiguration,
    Lowered,
    Rule,
)

ALL_LINEAR = "all-linear"
LORA_METHODS = {method_pb2.TRAINING_METHOD_LORA, method_pb2.TRAINING_METHOD_QLORA}

SENT_METHODS = {
    method_pb2.TRAINING_METHOD_FULL: "every weight is trained",
    method_pb2.TRAINING_METHOD_LORA: "peft.LoraConfig makes an adapter beside the frozen weights",
    method_pb2.TRAINING_METHOD_QLORA: "peft.LoraConfig makes an adapter beside weights that bitsandbytes quantizes, on a CPU too",
    method_pb2.TRAINING_METHOD_PROMPT_TUNING: "peft.PromptTuningConfig puts trained embeddings before every row",
    method_pb2.TRAINING_METHOD_PREFIX_TUNING: "peft.PrefixTuningConfig puts trained keys and values before every layer's own",
    method_pb2.TRAINING_METHOD_P_TUNING: "peft.PromptEncoderConfig puts embeddings before every row that a trained network makes",
}
REFUSED_METHODS: dict[method_pb2.TrainingMethod, str] = {}
METHODS = Choices(SENT_METHODS, REFUSED_METHODS, REFUSED)
SENT_OBJECTIVES = {
    method_pb2.TRAINING_OBJECTIVE_SFT: "trl.SFTTrainer trains on the likelihood of the rows",
    method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING: (
        "trl.SFTTrainer trains on the likelihood of whole texts, the long ones in several pieces"
    ),
    method_pb2.TRAINING_OBJECTIVE_DPO: "trl.DPOTrainer compares the two answers of each row",
    method_pb2.TRAINING_OBJECTIVE_DISTILLATION: "a trl.SFTTrainer that compares with what the teacher says of the rows' tokens",
    method_pb2.TRAINING_OBJECTIVE_CLASSIFICATION: "transformers.Trainer trains a head of one output a label on its cross entropy",
}
REFUSED_OBJECTIVES: dict[method_pb2.TrainingObjective, str] = {}
OBJECTIVES = Choices(SENT_OBJECTIVES, REFUSED_OBJECTIVES, REFUSED)


def adapter(resolved: JobConfiguration) -> dict[str, Any] | None:
    """For peft; None trains every weight. Raises ValueError for what `lower` refuses."""
    method = resolved.method
    if method.objective not in SENT_OBJECTIVES:
        raise ValueError(f"method.objective {method_pb2.TrainingObjective.Name(method.objective)} is refused; use SFT")
    if method.type not in SENT_METHODS:
        raise ValueError(f"method.type {method_pb2.TrainingMethod.Name(method.type)} is refused: {METHODS.reason(method.type)}")
    if method.type == method_pb2.TRAINING_METHOD_FULL:
        return None
    if soft_prompt.is_method(resolved):
        return soft_prompt.adapter(resolved)
    factors = low_rank(method.lora_config)
    # Of a classifier only its rows say whether they are texts.
    return factors | {"task_type": None} if classification.is_objective(resolved) else factors


def low_rank(lora: method_pb2.LoraConfiguration) -> dict[str, Any]:
    """For peft, of low-rank factors by themselves."""
    return {
        "peft_type": "LORA",
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": target_modules(lora.trainable_modules),
        "use_dora": lora.use_dora,
        "use_rslora": lora.use_rslora,
        "bias": "none",
        "task_type": "CAUSAL_LM",
    }


def target_modules(trainable_modules: str) -> str | list[str]:
    """`all-linear` as it is, names with commas as a list."""
    if trainable_modules == ALL_LINEAR:
        return ALL_LINEAR
    return [name.strip() for name in trainable_modules.split(",")]


def _lora(describe: Callable[[method_pb2.LoraConfiguration], Lowered]) -> Rule:
    def rule(resolved: JobConfiguration) -> list[Lowered]:
        if resolved.method.type not in LORA_METHODS:
            return [Lowered(DROPPED, "only LORA and QLORA have it; remove method.lora_config, or set method.type to LORA")]
        return [describe(resolved.method.lora_config)]

    return rule


def _modules(lora: method_pb2.LoraConfiguration) -> Lowered:
    modules = target_modules(lora.trainable_modules)
    action = SENT if isinstance(modules, str) else CONVERTED
    return Lowered(action, f"LoraConfig gets target_modules={modules!r}")


def _type(resolved: JobConfiguration) -> list[Lowered]:
    refusal = soft_prompt.refusal(resolved) if soft_prompt.is_method(resolved) else ""
    return [Lowered(REFUSED, refusal) if refusal else chosen(METHODS, resolved.method.type)]


RULES: dict[str, Rule] = {
    "method.type": _type,
    "method.lora_config.rank": _lora(lambda lora: Lowered(SENT, f"LoraConfig gets r={lora.rank}")),
    "method.lora_config.alpha": _lora(lambda lora: Lowered(SENT, f"LoraConfig gets lora_alpha={lora.alpha}")),
    "method.lora_config.dropout": _lora(lambda lora: Lowered(SENT, f"LoraConfig gets lora_dropout={lora.dropout:g}")),
    "method.lora_config.trainable_modules": _lora(_modules),
    "method.lora_config.use_dora": _lora(lambda lora: Lowered(SENT, f"LoraConfig gets use_dora={lora.use_dora}")),
    "method.lora_config.use_rslora": _lora(lambda lora: Lowered(SENT, f"LoraConfig gets use_rslora={lora.use_rslora}")),
    **soft_prompt.RULES,
    "method.objective": choice(OBJECTIVES, lambda resolved: resolved.method.objective),
    **preference.RULES,
    **distillation.RULES,
}
