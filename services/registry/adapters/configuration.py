"""adapter_config.json, read as data: what acts is checked and kept, what would run code or look elsewhere is left out."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tunesmith.registry.v1 import adapter_pb2

from services.registry.adapters.files import CONFIG
from services.registry.importing.refused import Refused

# PEFT's own, where the file leaves them out.
DEFAULT_RANK = 8
DEFAULT_ALPHA = 8.0
_MAX_RANK = 65536
_MAX_NAMES = 4096
_MAX_SAVED_MODULES = 64

_TASKS = ("CAUSAL_LM", "SEQ_CLS", "SEQ_2_SEQ_LM", "TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION")
_SHARED = ("peft_type", "task_type", "inference_mode")
_LORA_KEPT = (
    *("r", "lora_alpha", "lora_dropout", "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
    *("rank_pattern", "alpha_pattern", "fan_in_fan_out", "bias", "modules_to_save", "use_rslora", "use_dora", "lora_bias"),
)
_PROMPT_KEPT = ("num_virtual_tokens", "token_dim", "num_transformer_submodules", "num_attention_heads", "num_layers")
# Of the network that made a prompt while it was trained, which is not kept with it.
_ENCODER = (
    *("encoder_reparameterization_type", "encoder_hidden_size", "encoder_num_layers", "encoder_dropout"),
    *("prefix_projection", "init_weights"),
)
# They say where it came from and how its first weights were made, which loading the trained ones does not need. Some name modules
# to import (auto_mapping, megatron_core) or folders to read (base_model_name_or_path, tokenizer_name_or_path).
_LEFT_OUT = (
    *("auto_mapping", "base_model_name_or_path", "revision", "peft_version", "init_lora_weights", "loftq_config", "eva_config"),
    *("corda_config", "lora_ga_config", "megatron_config", "megatron_core", "runtime_config", "qalora_group_size"),
    *("ensure_weight_tying", "prompt_tuning_init", "prompt_tuning_init_text", "tokenizer_name_or_path", "tokenizer_kwargs"),
)
# Others change the base model's weights before training; the adapter alone then means nothing.
_PLAIN_STARTS = (None, True, False, "gaussian", "eva", "orthogonal")
_MODULE = re.compile(r"[A-Za-z0-9_\-]+(\.[A-Za-z0-9_\-]+)*")
# PEFT reads a pattern's key as a regular expression; only those are taken that are names.
_PATTERN_KEY = re.compile(r"\^?[A-Za-z0-9_.\-]+")


@dataclass(frozen=True)
class AdapterConfiguration:
    """What the file says, checked."""

    type: "adapter_pb2.AdapterType"
    task: str | None = None
    rank: int = 0
    alpha: float = 0.0
    dropout: float = 0.0
    # None where a pattern chooses the layers; the tensors then tell which.
    targets: frozenset[str] | None = frozenset()
    # Whether the targets' names alone tell which layers have tensors.
    targets_are_whole: bool = True
    rank_pattern: Mapping[str, int] = field(default_factory=dict)
    alpha_pattern: Mapping[str, float] = field(default_factory=dict)
    fan_in_fan_out: bool = False
    bias: str = "none"
    modules_to_save: frozenset[str] = frozenset()
    rank_stabilised: bool = False
    lora_bias: bool = False
    # Of a soft prompt: whether it stands before every layer's keys and values, and not before the row alone.
    prefix: bool = False
    virtual_tokens: int = 0
    token_size: int = 0
    submodules: int = 1
    heads: int | None = None
    layers: int | None = None

    def rank_of(self, module: str) -> int:
        """Width of a layer's factors."""
        return int(_by_pattern(self.rank_pattern, module, self.rank))

    def scale_of(self, module: str) -> float:
        """What PEFT multiplies B·A of a layer with."""
        alpha, rank = float(_by_pattern(self.alpha_pattern, module, self.alpha)), self.rank_of(module)
        return alpha / math.sqrt(rank) if self.rank_stabilised else alpha / rank


def read(settings: Mapping[str, Any]) -> AdapterConfiguration:
    """The configuration in a file's object. Raises Refused for a kind that is not known, and for settings that are not what they
    should be.
    """
    match settings.get("peft_type"):
        case "LORA":
            _refuse_unknown(settings, _LORA_KEPT)
            return _lora(settings)
        case "PROMPT_TUNING" | "P_TUNING" | "PREFIX_TUNING":
            _refuse_unknown(settings, (*_PROMPT_KEPT, *_ENCODER))
            return _prompt(settings)
        case other:
            kinds = "LORA (with or without use_dora), PROMPT_TUNING, P_TUNING and PREFIX_TUNING"
            raise _wrong("peft_type", f"is {str(other)[:40]!r}; only {kinds} are taken")


def _lora(settings: Mapping[str, Any]) -> AdapterConfiguration:
    if settings.get("init_lora_weights") not in _PLAIN_STARTS:
        text = (
            f"is {str(settings['init_lora_weights'])[:40]!r}, which trains beside changed base weights; convert it with "
            "save_pretrained(…, path_initial_model_for_weight_conversion=…)"
        )
        raise _wrong("init_lora_weights", text)
    bias = settings.get("bias", "none")
    if bias not in ("none", "all", "lora_only"):
        raise _wrong("bias", "must be none, all or lora_only")
    targets = settings.get("target_modules")
    restricted = [name for name in ("exclude_modules", "layers_to_transform", "layers_pattern") if settings.get(name)]
    # 0 is a layer, and an empty list is none.
    restricted += ["layers_to_transform"] if settings.get("layers_to_transform") == 0 else []
    named = None if isinstance(targets, str) else _names("target_modules", targets)
    if named is not None and not named:
        raise _wrong("target_modules", "names no layers; save the adapter again")
    return AdapterConfiguration(
        type=adapter_pb2.ADAPTER_TYPE_DORA if _flag(settings, "use_dora") else adapter_pb2.ADAPTER_TYPE_LORA,
        task=_task(settings),
        rank=_whole("r", settings.get("r", DEFAULT_RANK)),
        alpha=_number("lora_alpha", settings.get("lora_alpha", DEFAULT_ALPHA)),
        dropout=_number("lora_dropout", settings.get("lora_dropout", 0.0)),
        targets=named,
        targets_are_whole=named is not None and not restricted,
        rank_pattern={key: _whole("rank_pattern", value) for key, value in _pattern(settings, "rank_pattern")},
        alpha_pattern={key: _number("alpha_pattern", value) for key, value in _pattern(settings, "alpha_pattern")},
        fan_in_fan_out=_flag(settings, "fan_in_fan_out"),
        bias=bias,
        modules_to_save=_names("modules_to_save", settings.get("modules_to_save"), _MAX_SAVED_MODULES),
        rank_stabilised=_flag(settings, "use_rslora"),
        lora_bias=_flag(settings, "lora_bias"),
    )


def _prompt(settings: Mapping[str, Any]) -> AdapterConfiguration:
    def optional(name: str) -> int | None:
        return None if settings.get(name) is None else _whole(name, settings[name])

    return AdapterConfiguration(
        type=adapter_pb2.ADAPTER_TYPE_PROMPT,
        task=_task(settings),
        prefix=settings.get("peft_type") == "PREFIX_TUNING",
        virtual_tokens=_whole("num_virtual_tokens", settings.get("num_virtual_tokens")),
        token_size=_whole("token_dim", settings.get("token_dim")),
        submodules=optional("num_transformer_submodules") or 1,
        heads=optional("num_attention_heads"),
        layers=optional("num_layers"),
    )


def _refuse_unknown(settings: Mapping[str, Any], kept: Iterable[str]) -> None:
    """What is set and not known here may change what the adapter does."""
    known = {*kept, *_SHARED, *_LEFT_OUT}
    unknown = next((name for name, value in settings.items() if name not in known and value), None)
    if unknown is not None:
        raise _wrong(
            unknown[:80], "is set, and adapters that need it are not taken; train without it, or remove it if it does not act"
        )


def _task(settings: Mapping[str, Any]) -> str | None:
    task = settings.get("task_type")
    if task is not None and task not in _TASKS:
        raise _wrong("task_type", f"must be one of {', '.join(_TASKS)}")
    return task


def _names(setting: str, value: Any, at_most: int = _MAX_NAMES) -> frozenset[str]:
    if value is None:
        return frozenset()
    if not isinstance(value, list) or len(value) > at_most:
        raise _wrong(setting, f"must be a list of at most {at_most} names of layers")
    for name in value:
        if not isinstance(name, str) or not _MODULE.fullmatch(name):
            raise _wrong(setting, f"has {str(name)[:80]!r}, which is no name of a layer")
    return frozenset(value)


def _pattern(settings: Mapping[str, Any], setting: str) -> Iterable[tuple[str, Any]]:
    value = settings.get(setting) or {}
    if not isinstance(value, dict) or len(value) > _MAX_NAMES:
        raise _wrong(setting, "must be an object of names of layers")
    for key in value:
        if not _PATTERN_KEY.fullmatch(key):
            raise _wrong(setting, f"has {key[:80]!r}; only names of layers are taken, not other regular expressions")
    return value.items()


def endings(module: str) -> Iterator[str]:
    """The names that a layer's path goes by: itself, and what stands behind each of its dots."""
    yield module
    while "." in module:
        module = module.partition(".")[2]
        yield module


def _by_pattern(pattern: Mapping[str, float], module: str, otherwise: float) -> float:
    """As PEFT looks it up: the first key that matches the end of the path, at a dot; one with ^ matches the whole of it."""
    if not pattern:
        return otherwise
    found = [key for key in (f"^{module}", *endings(module)) if key in pattern]
    if len(found) > 1:
        order = list(pattern)
        found.sort(key=order.index)
    return pattern[found[0]] if found else otherwise


def _flag(settings: Mapping[str, Any], setting: str) -> bool:
    value = settings.get(setting) or False
    if not isinstance(value, bool):
        raise _wrong(setting, "must be true or false")
    return value


def _whole(setting: str, value: Any) -> int:
    if type(value) is not int or not 0 < value <= _MAX_RANK:
        raise _wrong(setting, f"must be a whole number from 1 to {_MAX_RANK}")
    return value


def _number(setting: str, value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        raise _wrong(setting, "must be a number that is not negative")
    return float(value)


def _wrong(setting: str, text: str) -> Refused:
    return Refused(f"{CONFIG}: {setting} {text}")
