"""Soft prompts: PROMPT_TUNING, PREFIX_TUNING and P_TUNING."""

from collections.abc import Callable
from typing import Any

from tunesmith.config.v1 import method_pb2, optimizations_pb2

from workers.providers.provider import CONVERTED, DROPPED, REFUSED, SENT, JobConfiguration, Lowered, Rule

# As peft names them.
PEFT_TYPES: dict[method_pb2.TrainingMethod, str] = {
    method_pb2.TRAINING_METHOD_PROMPT_TUNING: "PROMPT_TUNING",
    method_pb2.TRAINING_METHOD_PREFIX_TUNING: "PREFIX_TUNING",
    method_pb2.TRAINING_METHOD_P_TUNING: "P_TUNING",
}
OBJECTIVES = {
    method_pb2.TRAINING_OBJECTIVE_SFT,
    method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING,
}


def is_method(resolved: JobConfiguration) -> bool:
    """Whether a soft prompt is what is trained."""
    return resolved.method.type in PEFT_TYPES


def virtual_tokens(resolved: JobConfiguration) -> int:
    """Positions that the prompt takes of every sequence; 0 without one."""
    return resolved.method.prompt_tuning_config.num_virtual_tokens if is_method(resolved) else 0


def refusal(resolved: JobConfiguration) -> str:
    """What a soft prompt can't be combined with, and what to do; empty if nothing stands in its way."""
    method = resolved.method
    name = PEFT_TYPES[method.type]
    enabled = set(resolved.optimizations.enabled)
    if method.objective not in OBJECTIVES:
        objective = method_pb2.TrainingObjective.Name(method.objective).removeprefix("TRAINING_OBJECTIVE_")
        return f"local trains soft prompts with objective SFT or CONTINUED_PRETRAINING; for {objective}, use LORA"
    if optimizations_pb2.OPTIMIZATION_FEATURE_SEQUENCE_PACKING in enabled:
        return (
            f"{name} puts one prompt before a whole sequence and forgets where packed rows begin; "
            "remove SEQUENCE_PACKING and use DYNAMIC_PADDING, or use LORA"
        )
    if (
        method.type == method_pb2.TRAINING_METHOD_PREFIX_TUNING
        and optimizations_pb2.OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING in enabled
    ):
        return (
            "PREFIX_TUNING hands its prefix to every layer as cached keys and values, which transformers drops from a layer "
            "that is computed again; remove GRADIENT_CHECKPOINTING, or use PROMPT_TUNING or LORA"
        )
    return ""


def adapter(resolved: JobConfiguration) -> dict[str, Any]:
    """For peft. Text to begin with is read with the base model's tokenizer, which the worker names. Raises ValueError for what
    `lower` refuses.
    """
    refused = refusal(resolved)
    if refused:
        raise ValueError(f"method.type {PEFT_TYPES[resolved.method.type]} is refused: {refused}")
    if virtual_tokens(resolved) >= resolved.schedule.sequence_length:
        raise ValueError("method.prompt_tuning_config.num_virtual_tokens is refused: it leaves no room for rows")
    return arguments(resolved.method)


def arguments(method: method_pb2.Method) -> dict[str, Any]:
    """For peft, of a soft prompt by itself."""
    prompt = method.prompt_tuning_config
    return {
        "peft_type": PEFT_TYPES[method.type],
        "num_virtual_tokens": prompt.num_virtual_tokens,
        "task_type": "CAUSAL_LM",
        **_START[method.type](prompt),
    }


def _prompt(prompt: method_pb2.PromptTuningConfiguration) -> dict[str, Any]:
    if prompt.HasField("initial_text"):
        return {"prompt_tuning_init": "TEXT", "prompt_tuning_init_text": prompt.initial_text}
    return {"prompt_tuning_init": "SAMPLE_VOCAB"}


def _prefix(prompt: method_pb2.PromptTuningConfiguration) -> dict[str, Any]:
    if prompt.HasField("encoder_hidden_size"):
        return {"prefix_projection": True, "encoder_hidden_size": prompt.encoder_hidden_size}
    return {"prefix_projection": False}


def _encoder(prompt: method_pb2.PromptTuningConfiguration) -> dict[str, Any]:
    # peft takes the model's hidden size where there is none.
    return {"encoder_hidden_size": prompt.encoder_hidden_size} if prompt.HasField("encoder_hidden_size") else {}


_START: dict[method_pb2.TrainingMethod, Callable[[method_pb2.PromptTuningConfiguration], dict[str, Any]]] = {
    method_pb2.TRAINING_METHOD_PROMPT_TUNING: _prompt,
    method_pb2.TRAINING_METHOD_PREFIX_TUNING: _prefix,
    method_pb2.TRAINING_METHOD_P_TUNING: _encoder,
}


def _of_prompt(describe: Callable[[JobConfiguration], Lowered]) -> Rule:
    def rule(resolved: JobConfiguration) -> list[Lowered]:
        if not is_method(resolved):
            detail = "only soft prompts have it; remove method.prompt_tuning_config, or set method.type to PROMPT_TUNING"
            return [Lowered(DROPPED, detail)]
        return [describe(resolved)]

    return rule


def _virtual_tokens(resolved: JobConfiguration) -> Lowered:
    count, length = virtual_tokens(resolved), resolved.schedule.sequence_length
    if count >= length:
        return Lowered(REFUSED, f"{count} virtual tokens leave no room for rows in {length}; raise schedule.sequence_length")
    return Lowered(SENT, f"peft gets num_virtual_tokens={count}, which leaves {length - count} tokens of a sequence to a row")


def _initial_text(resolved: JobConfiguration) -> Lowered:
    if resolved.method.type != method_pb2.TRAINING_METHOD_PROMPT_TUNING:
        return Lowered(DROPPED, "only PROMPT_TUNING begins with a text; remove it, or set method.type to PROMPT_TUNING")
    return Lowered(CONVERTED, "PromptTuningConfig gets the embeddings of its tokens, cut or repeated to the virtual tokens")


def _encoder_hidden_size(resolved: JobConfiguration) -> Lowered:
    method = resolved.method
    if method.type == method_pb2.TRAINING_METHOD_PROMPT_TUNING:
        return Lowered(DROPPED, "PROMPT_TUNING has no encoder; remove it, or set method.type to P_TUNING")
    given = f"encoder_hidden_size={method.prompt_tuning_config.encoder_hidden_size}"
    if method.type == method_pb2.TRAINING_METHOD_PREFIX_TUNING:
        return Lowered(CONVERTED, f"PrefixTuningConfig gets prefix_projection=True and {given}")
    return Lowered(SENT, f"PromptEncoderConfig gets {given}")


RULES: dict[str, Rule] = {
    "method.prompt_tuning_config.num_virtual_tokens": _of_prompt(_virtual_tokens),
    "method.prompt_tuning_config.initial_text": _of_prompt(_initial_text),
    "method.prompt_tuning_config.encoder_hidden_size": _of_prompt(_encoder_hidden_size),
}
