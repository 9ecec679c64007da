"""A model's configuration, read as data: none of its code is loaded, and none of its numbers may cost us the machine."""

import json
import re
from collections.abc import Iterator
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from workers.estimating.refused import Refused

MAX_BYTES = 262_144
MAX_DEPTH = 16
# Libraries make an object or more for each of these, so they cost memory even where weights don't. The deepest published
# models have fewer than 200 layers, and the widest classifiers some ten thousand labels.
MAX_LAYERS = 2_000
MAX_LABELS = 100_000
_COUNTS_LAYERS = re.compile(r"layer|depth|block|stage|repeat", re.IGNORECASE)
_COUNTS_NO_LAYERS = re.compile(r"size|dim|eps|norm|drop|rate|scale|init|index|_id|position|every|interval|period", re.IGNORECASE)
_COUNTS_LABELS = re.compile(r"^num_labels$|^num_classes$", re.IGNORECASE)
# No table, no window and no vocabulary has so many rows; some families fill a list or a table of floats with as many.
MAX_SIZE = 2**31 - 1
MAX_POSITIONS = 2**24
_COUNTS_POSITIONS = re.compile(r"position(?!_embedding_type)|^n_ctx$|seq_len|context_length", re.IGNORECASE)


def read_configuration(configuration_json: str) -> PreTrainedConfig:
    """The configuration that a config.json holds. Raises Refused with what is wrong with it."""
    values = _object(configuration_json)
    if "auto_map" in values:
        raise Refused("it brings code of its own (auto_map), which is never run here; use a model of a family of transformers")
    family = values.pop("model_type", None)
    if not isinstance(family, str) or family not in CONFIG_MAPPING_NAMES:
        shown = f"model_type {family!r}"[:80]
        raise Refused(
            f"{shown} is no family that this version of transformers knows; upgrade the pool's transformers, or use another"
        )
    _check_numbers(values)
    # It describes how stored weights are packed; the shapes of what they unpack to are the same.
    values.pop("quantization_config", None)
    try:
        return AutoConfig.for_model(family, **values)
    except StrictDataclassError as error:
        raise Refused(f"transformers refuses it: {_first_line(error)}; correct that field of config.json") from error
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, IndexError) as error:
        raise Refused(f"its fields don't fit {family}: {_first_line(error)}; correct config.json") from error


def _object(text: str) -> dict[str, Any]:
    if len(text.encode()) > MAX_BYTES:
        raise Refused(f"it has more than {MAX_BYTES // 1024} KiB; a config.json has a few, so send that file alone")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"it is no JSON ({_first_line(error)}); send config.json as it is") from error
    if not isinstance(values, dict):
        raise Refused("it is no JSON object; send config.json as it is")
    return values


def _check_numbers(values: dict[str, Any]) -> None:
    for path, key, value in _numbers(values, "", MAX_DEPTH):
        if value > MAX_SIZE and not re.search("theta|base|token_id", key):
            raise Refused(f"{path} is {value:g}, more than any model has; correct config.json")
        if _COUNTS_LABELS.search(key) and value > MAX_LABELS:
            raise Refused(f"{path} is {value:g}; at most {MAX_LABELS:,} labels are counted")
        if _COUNTS_POSITIONS.search(key):
            if value > MAX_POSITIONS:
                raise Refused(f"{path} is {value:g}; at most {MAX_POSITIONS:,} positions are counted")
        elif _COUNTS_LAYERS.search(key) and not _COUNTS_NO_LAYERS.search(key) and value > MAX_LAYERS:
            raise Refused(
                f"{path} is {value:g}; at most {MAX_LAYERS:,} layers are counted, and no published model has more than 200"
            )


def _numbers(value: Any, path: str, depth: int) -> Iterator[tuple[str, str, float]]:
    """Every number in it, with its path and the key that it stands under."""
    if depth < 0:
        raise Refused("it is nested too deep; send config.json as it is")
    key = path.rpartition(".")[2].partition("[")[0]
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _numbers(inner, f"{path}.{name}" if path else str(name), depth - 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _numbers(inner, f"{path}[{index}]", depth - 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, key, value


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (": ".join(lines[:2]) or type(error).__name__)[:300].rstrip(".")
