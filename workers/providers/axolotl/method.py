"""Which weights move, and what is optimised."""

from collections.abc import Callable
from typing import Any

from tunesmith.config.v1 import method_pb2

from workers.providers.engines import bits_of
from workers.providers.local import preference, soft_prompt
from workers.providers.local.method import LORA_METHODS, target_modules
from workers.providers.local.rules import choice
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

_NO_PROMPT = "Axolotl trains no soft prompts; use LORA with a small rank, or provider local"
METHODS = Choices(
    {
        method_pb2.TRAINING_METHOD_FULL: "Axolotl gets no adapter, and trains every weight",
        method_pb2.TRAINING_METHOD_LORA: "Axolotl gets adapter='lora'",
        method_pb2.TRAINING_METHOD_QLORA: "Axolotl gets adapter='qlora', or 'lora' over weights of 8 bits",
    },
    dict.fromkeys(soft_prompt.PEFT_TYPES, _NO_PROMPT),
    REFUSED,
)
_NO_TEACHER = "Axolotl learns from a teacher's stored answers only; use SFT on answers that the teacher wrote, or provider local"
OBJECTIVES = Choices(
    {
        method_pb2.TRAINING_OBJECTIVE_SFT: "Axolotl's own objective",
        method_pb2.TRAINING_OBJECTIVE_DPO: "Axolotl gets rl='dpo'",
        method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING: "Axolotl reads texts as completions, and splits long ones",
    },
    {
        method_pb2.TRAINING_OBJECTIVE_CLASSIFICATION: (
            "Axolotl classifies only for reward models; use SFT with the label as completion, or provider local"
        ),
        method_pb2.TRAINING_OBJECTIVE_DISTILLATION: _NO_TEACHER,
    },
    REFUSED,
)


def arguments(resolved: JobConfiguration) -> dict[str, Any]:
    """As Axolotl's schema has it. Raises ValueError for what `lower` refuses."""
    method = resolved.method
    if method.type not in METHODS.acting:
        raise ValueError(f"method.type {method_pb2.TrainingMethod.Name(method.type)} is refused; use FULL, LORA or QLORA")
    if method.objective not in OBJECTIVES.acting:
        raise ValueError(f"method.objective {method_pb2.TrainingObjective.Name(method.objective)} is refused; use SFT or DPO")
    return _adapter(resolved) | (_preferences(resolved) if is_dpo(resolved) else {})


def is_dpo(resolved: JobConfiguration) -> bool:
    """Whether preferences are learnt, which takes another trainer."""
    return preference.is_objective(resolved)


def _adapter(resolved: JobConfiguration) -> dict[str, Any]:
    if resolved.method.type not in LORA_METHODS:
        return {}
    lora = resolved.method.lora_config
    # Axolotl's name for adapters over 4 bits; over 8 it takes plain LoRA.
    name = "qlora" if bits_of(resolved) == 4 else "lora"
    return {
        "adapter": name,
        "lora_r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        **_modules(lora.trainable_modules),
        "peft_use_dora": lora.use_dora,
        "peft_use_rslora": lora.use_rslora,
    }


def _modules(trainable_modules: str) -> dict[str, Any]:
    names = target_modules(trainable_modules)
    return {"lora_target_linear": True} if isinstance(names, str) else {"lora_target_modules": names}


def _preferences(resolved: JobConfiguration) -> dict[str, Any]:
    wanted = preference.settings(resolved)
    # trl's names, which Axolotl passes on.
    loss = preference.LOSSES[wanted.loss]
    given: dict[str, Any] = {"rl": "dpo", "rl_beta": wanted.beta, "dpo_loss_type": [loss]}
    if wanted.sft_weight:
        given |= {"dpo_loss_type": [loss, preference.LIKELIHOOD], "dpo_loss_weights": [1.0, wanted.sft_weight]}
    smoothing = wanted.label_smoothing if wanted.HasField("label_smoothing") else preference.SMOOTHING.get(wanted.loss, 0.0)
    return given | ({"dpo_label_smoothing": smoothing} if smoothing else {})


def _lora(describe: Callable[[method_pb2.LoraConfiguration], Lowered]) -> Rule:
    def rule(resolved: JobConfiguration) -> list[Lowered]:
        if resolved.method.type not in LORA_METHODS:
            return [Lowered(DROPPED, "only LORA and QLORA make an adapter; remove method.lora_config")]
        return [describe(resolved.method.lora_config)]

    return rule


def _trainable(lora: method_pb2.LoraConfiguration) -> Lowered:
    ((name, value),) = _modules(lora.trainable_modules).items()
    return Lowered(CONVERTED, f"Axolotl gets {name}={value!r}")


def _preference(describe: Callable[[method_pb2.PreferenceConfiguration], Lowered]) -> Rule:
    def rule(resolved: JobConfiguration) -> list[Lowered]:
        if not is_dpo(resolved):
            return [Lowered(DROPPED, "only objective DPO has preferences; remove method.preference_config")]
        return [describe(preference.settings(resolved))]

    return rule


def _reference_free(wanted: method_pb2.PreferenceConfiguration) -> Lowered:
    if wanted.reference_free:
        return Lowered(REFUSED, "Axolotl always compares with the reference; set it to false, or use provider local")
    return Lowered(SENT, "Axolotl always compares with the reference")


def _sft_weight(wanted: method_pb2.PreferenceConfiguration) -> Lowered:
    if not wanted.sft_weight:
        return Lowered(SENT, "the preferences' loss alone")
    return Lowered(CONVERTED, f"Axolotl gets the loss 'sft' with dpo_loss_weights=[1.0, {wanted.sft_weight:g}]")


RULES: dict[str, Rule] = {
    "method.type": choice(METHODS, lambda resolved: resolved.method.type),
    "method.lora_config.rank": _lora(lambda lora: Lowered(SENT, f"Axolotl gets lora_r={lora.rank}")),
    "method.lora_config.alpha": _lora(lambda lora: Lowered(SENT, f"Axolotl gets lora_alpha={lora.alpha}")),
    "method.lora_config.dropout": _lora(lambda lora: Lowered(SENT, f"Axolotl gets lora_dropout={lora.dropout:g}")),
    "method.lora_config.trainable_modules": _lora(_trainable),
    "method.lora_config.use_dora": _lora(lambda lora: Lowered(SENT, f"Axolotl gets peft_use_dora={lora.use_dora}")),
    "method.lora_config.use_rslora": _lora(lambda lora: Lowered(SENT, f"Axolotl gets peft_use_rslora={lora.use_rslora}")),
    "method.prompt_tuning_config.num_virtual_tokens": refused(_NO_PROMPT),
    "method.prompt_tuning_config.initial_text": refused(_NO_PROMPT),
    "method.prompt_tuning_config.encoder_hidden_size": refused(_NO_PROMPT),
    "method.objective": choice(OBJECTIVES, lambda resolved: resolved.method.objective),
    "method.preference_config.beta": _preference(lambda one: Lowered(SENT, f"Axolotl gets rl_beta={one.beta:g}")),
    "method.preference_config.loss": _preference(
        lambda one: Lowered(SENT, f"Axolotl gets dpo_loss_type=[{preference.LOSSES[one.loss]!r}]")
    ),
    "method.preference_config.label_smoothing": _preference(
        lambda one: Lowered(SENT, f"Axolotl gets dpo_label_smoothing={one.label_smoothing:g}")
    ),
    "method.preference_config.reference_free": _preference(_reference_free),
    "method.preference_config.sft_weight": _preference(_sft_weight),
    "method.distillation_config.teacher_model": refused(_NO_TEACHER),
    "method.distillation_config.temperature": refused(_NO_TEACHER),
    "method.distillation_config.teacher_weight": refused(_NO_TEACHER),
}
