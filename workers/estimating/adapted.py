"""The model as peft adapts it, on the meta device."""

import torch
from peft import PeftConfig, get_peft_config, get_peft_model
from torch import nn
from transformers import PreTrainedModel
from tunesmith.config.v1 import method_pb2

from workers.estimating.refused import Refused
from workers.providers.execution import quantization_bits
from workers.providers.local import soft_prompt
from workers.providers.local.method import low_rank
from workers.providers.provider import JobConfiguration

# Their steps are the same.
_LIKELIHOODS = (method_pb2.TRAINING_OBJECTIVE_SFT, method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING)


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


def _peft_configuration(method: method_pb2.Method) -> PeftConfig:
    if method.type not in soft_prompt.PEFT_TYPES:
        return get_peft_config(low_rank(method.lora_config))
    # What it begins with takes a tokenizer or numbers, and is not held.
    start = {"prompt_tuning_init": "RANDOM", "prompt_tuning_init_text": None}
    given = soft_prompt.arguments(method)
    return get_peft_config(given | {name: value for name, value in start.items() if name in given})


def refuse_untraceable(configuration: JobConfiguration) -> None:
    """Raise Refused for a method or objective that no trace knows."""
    if configuration.method.objective not in _LIKELIHOODS:
        raise Refused("only supervised steps are traced; use the plain estimate", "configuration.method.objective")
    if quantization_bits(configuration) and configuration.method.lora_config.use_dora:
        # It unpacks whole weights, and the packed ones that stand for them have no shape.
        text = "DoRA beside quantized weights is not traced; use the plain estimate"
        raise Refused(text, "configuration.method.lora_config.use_dora")
    if configuration.method.type == method_pb2.TRAINING_METHOD_UNSPECIFIED:
        raise Refused("it has to be set; send the configuration with defaults resolved", "configuration.method.type")
