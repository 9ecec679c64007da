"""A model without weights: its modules and the shapes of its parameters, on torch's meta device."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForImageTextToText,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
    initialization,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
)

from workers.estimating.refused import Refused

# A model of 2,000 layers has some 40,000 modules. Each costs a few kilobytes and some microseconds, even without weights.
MAX_MODULES = 60_000
MAX_SECONDS = 10.0
# No machine holds so many; products of sizes that are not refused one by one may pass it.
MAX_PARAMETERS = 10**14

_KINDS = (
    # An image model's configuration is known by what it classifies; one with text and images has no other class.
    (AutoModelForImageTextToText, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES, ("ForConditionalGeneration", "ForImageTextToText")),
    (AutoModelForImageClassification, MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES, ("ForImageClassification",)),
    (AutoModelForCausalLM, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, ("ForCausalLM", "LMHeadModel")),
    # Encoders that write nothing have no other class; of the rest, those that were saved as classifiers.
    (AutoModelForSequenceClassification, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES, ("ForSequenceClassification",)),
)


def build(configuration: PreTrainedConfig, dtype: torch.dtype = torch.float32, *, eager: bool = False) -> PreTrainedModel:
    """The model of a configuration, in training mode, its attention fused wherever it can be unless it shall be `eager`.

    Raises Refused if transformers can't build it, or it is too large.
    """
    auto = _class_of(configuration)
    attention = {"attn_implementation": "eager"} if eager else {}
    try:
        with torch.device("meta"), initialization.no_init_weights(), _bounded():
            model = auto.from_config(configuration, dtype=dtype, trust_remote_code=False, **attention)
    except Refused:
        raise
    except MemoryError as error:
        raise Refused("building it takes more memory than it is worth; correct the sizes in config.json") from error
    except Exception as error:
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise Refused(f"transformers can't build it: {text[0][:300]}; correct config.json") from error
    if sum(parameter.numel() for parameter in model.parameters()) > MAX_PARAMETERS:
        raise Refused(f"it would have more than {MAX_PARAMETERS:.0e} parameters; correct the sizes in config.json")
    model.tie_weights()
    return model.train()


def _class_of(configuration: PreTrainedConfig) -> Any:
    family = configuration.model_type
    known = [(auto, endings) for auto, families, endings in _KINDS if family in families]
    if not known:
        text = f"{family} has no model that writes text, reads images with text, or classifies; choose another model"
        raise Refused(text)
    name = (configuration.architectures or [""])[0]
    return next((auto for auto, endings in known if str(name).endswith(endings)), known[0][0])


@contextmanager
def _bounded() -> Iterator[None]:
    """Give up on a model of too many modules while it is being built."""
    count, end_s = 0, time.monotonic() + MAX_SECONDS

    def look(module: nn.Module, name: str, submodule: nn.Module | None) -> None:
        nonlocal count
        count += 1
        if count > MAX_MODULES or time.monotonic() > end_s:
            raise Refused(
                f"it has too many modules ({count:,} when it was given up); correct the numbers of layers in config.json"
            )

    hook = register_module_module_registration_hook(look)
    try:
        yield
    finally:
        hook.remove()
