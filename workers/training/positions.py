"""How far a model's positions reach, and stretching those that are rotary.

A stretched model computes otherwise from the first token on, so that whoever loads the result has to stretch it in the same way.
"""

from collections.abc import Iterator
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from services.chassis.errors import InvalidArgument

PATH = "model.rope_scaling"
LINEAR, DYNAMIC, YARN = "linear", "dynamic", "yarn"
# What is stretched where layers differ: the others look at a window that they don't outgrow.
_WIDE_LAYERS = "full_attention"
_PLAIN = "default"
_LONGEST = "max_seq_len_cached"


def stretch(config: PreTrainedConfig, scaling: dict[str, Any]) -> None:
    """Have a model that is made from `config` read `factor` times as much. Raises InvalidArgument if its positions don't stretch.

    A dynamic one keeps its own number of positions, since up to it nothing is to change.
    """
    text: Any = config.get_text_config()
    held = getattr(text, "rope_parameters", None)
    positions = getattr(text, "max_position_embeddings", None)
    if not held or not positions or getattr(text, "alibi", False):
        raise _refused(f"{text.model_type} has no rotary positions that transformers can stretch; choose another model, or")
    nested = text.nested_rope_parameter_keys(held)
    if nested and _WIDE_LAYERS not in nested:
        raise _refused(f"the layers of {text.model_type} turn positions in ways of their own; choose another model, or")
    before = held[_WIDE_LAYERS] if nested else held
    if before.get("rope_type", _PLAIN) != _PLAIN:
        was = f"{before['rope_type']}, {before['factor']:g} times" if "factor" in before else before["rope_type"]
        raise _refused(f"the model's positions are stretched already ({was}), and can't be stretched again;")
    after = before | scaling
    if scaling["rope_type"] == YARN:
        after["original_max_position_embeddings"] = positions
    text.rope_parameters = held | {_WIDE_LAYERS: after} if nested else after
    if scaling["rope_type"] != DYNAMIC:
        text.max_position_embeddings = int(positions * scaling["factor"])
    try:
        text.validate_rope()
    except (KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise _refused(f"{text.model_type} can't be stretched so: {reason}; choose another type, or") from error


def position_count(model: PreTrainedModel) -> int | None:
    """Longest sequence the model has positions for, in tokens; None if its configuration does not say."""
    text: Any = model.config.get_text_config()
    positions: int | None = getattr(text, "max_position_embeddings", None)
    held = getattr(text, "rope_parameters", None) or {}
    scaling = held.get(_WIDE_LAYERS, held)
    if positions is None or scaling.get("rope_type") != DYNAMIC:
        return positions
    return int(positions * scaling["factor"])


def loading_arguments(config: PreTrainedConfig) -> dict[str, Any]:
    """What `from_pretrained` has to be given so that the base model is stretched like one made from `config`."""
    text: Any = config.get_text_config()
    return {"rope_parameters": text.rope_parameters, "max_position_embeddings": text.max_position_embeddings}


def longest_read(model: torch.nn.Module) -> list[dict[str, int]]:
    """How long a sequence each dynamic rotation was last made for, which is part of where training stands."""
    return [{name: int(getattr(module, name)) for name in _longest_of(module)} for module in _dynamic(model)]


def go_on_from(model: torch.nn.Module, longest: list[dict[str, int]]) -> None:
    """Make each dynamic rotation as it was."""
    for module, seen in zip(_dynamic(model), longest, strict=True):
        for name, tokens in seen.items():
            layer_type = name.removesuffix(_LONGEST).removesuffix("_")
            frequencies = getattr(module, f"{layer_type}_inv_freq" if layer_type else "inv_freq")
            last = torch.tensor([[tokens - 1]], device=frequencies.device)
            module(frequencies, last, *([layer_type] if layer_type else []))


def _dynamic(model: torch.nn.Module) -> Iterator[Any]:
    for module in model.modules():
        if hasattr(module, "rope_type") and hasattr(module, _LONGEST) and _is_dynamic(module.rope_type):
            yield module


def _is_dynamic(rope_type: Any) -> bool:
    return DYNAMIC in (rope_type.values() if isinstance(rope_type, dict) else (rope_type,))


def _longest_of(module: Any) -> list[str]:
    if not isinstance(module.rope_type, dict):
        return [_LONGEST]
    names = (f"{layer_type}_{_LONGEST}" for layer_type, kind in module.rope_type.items() if kind == DYNAMIC)
    return [name for name in names if hasattr(module, name)]


def _refused(text: str) -> InvalidArgument:
    return InvalidArgument([(PATH, f"{text} remove model.rope_scaling")])
