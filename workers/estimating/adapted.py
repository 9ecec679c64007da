"""The model as peft adapts it, on the meta device."""

from typing import Any

import torch
from peft import LoraConfig, PromptTuningConfig, TaskType, get_peft_model
from torch import nn
from transformers import PreTrainedModel
from tunesmith.config.v1 import method_pb2

from workers.estimating.refused import Refused
from workers.providers.local_plan import target_modules
from workers.providers.provider import JobConfiguration


def adapt(model: PreTrainedModel, method: method_pb2.Method) -> nn.Module:
    """The model with what the method trains, and nothing else, open to gradients."""
    if method.type == method_pb2.TRAINING_METHOD_FULL:
        return model.requires_grad_(True)
    try:
        with torch.device("meta"):
            return get_peft_model(model, _peft_configuration(method), low_cpu_mem_usage=True)
    except ValueError as error:
        text = f"{str(error).splitlines()[0][:300]}; name modules that the model has"
        raise Refused(text, "configuration.method.lora_config.trainable_modules") from error


def _peft_configuration(method: method_pb2.Method) -> Any:
    if method.type == method_pb2.TRAINING_METHOD_PROMPT_TUNING:
        tokens = method.prompt_tuning_config.num_virtual_tokens
        return PromptTuningConfig(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=tokens)
    lora = method.lora_config
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=target_modules(lora.trainable_modules),
        bias="none",
        task_type=TaskType.CAUSAL_LM,
    )


def refuse_untraceable(configuration: JobConfiguration) -> None:
    """Raise Refused for a method or objective that no trace knows."""
    if configuration.method.objective != method_pb2.TRAINING_OBJECTIVE_SFT:
        raise Refused("only supervised steps are traced; use the plain estimate", "configuration.method.objective")
    if configuration.method.type == method_pb2.TRAINING_METHOD_UNSPECIFIED:
        raise Refused("it has to be set; send the configuration with defaults resolved", "configuration.method.type")
