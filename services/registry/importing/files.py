"""Which of a model's files are taken. What is not named here is left where it is: a model needs no code and no pickle."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from services.registry.importing.refused import Refused

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
CHAT_TEMPLATE = "chat_template.jinja"

SMALL_FILES = (
    CONFIG,
    "generation_config.json",
    WEIGHTS_INDEX,
    "tokenizer.json",
    TOKENIZER_CONFIG,
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    CHAT_TEMPLATE,
    "preprocessor_config.json",
    "README.md",
)
ADAPTER = (
    "this is an adapter, not a full model; train with method.type TRAINING_METHOD_FULL to get one, or merge the adapter into its "
    "base model (merge_and_unload), save that, and import the folder"
)
# The largest published tokenizers have 35 MB.
MAX_SMALL_FILE_BYTES = 256 * 1024 * 1024
# Of those that are read here, not only copied.
MAX_JSON_BYTES = 16 * 1024 * 1024
_MAX_WEIGHT_FILES = 512
_WEIGHT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,250}\.safetensors")
_PICKLE_ENDINGS = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
# Where transformers looks up code of the repository's own.
_REMOTE_CODE_KEY = "auto_map"

_TO_SAFETENSORS = "load it where you trust it and save it with save_pretrained, which writes safetensors"


def small_files(names: Sequence[str]) -> list[str]:
    """The files to take besides the weights. Raises Refused for a model of which nothing may be taken."""
    there = set(names)
    if "adapter_config.json" in there:
        raise Refused(ADAPTER)
    code = sorted(name for name in names if name.endswith(".py"))
    if code:
        raise Refused(f"it holds code ({code[0]}), which is never run; use a model that transformers knows by itself")
    if CONFIG not in there:
        raise Refused(_without_config(names))
    return [name for name in SMALL_FILES if name in there]


def weight_files(folder: Path, names: Sequence[str]) -> list[str]:
    """The weights that transformers would load, from the folder that already holds the small files. Raises Refused."""
    if WEIGHTS in names:
        return [WEIGHTS]
    if WEIGHTS_INDEX in names:
        return _shards(weight_map(folder), names)
    raise Refused(_without_weights(names))


def weight_map(folder: Path) -> Mapping[str, str]:
    """Which file each tensor is in, by the index. Raises Refused."""
    shards = read_json(folder / WEIGHTS_INDEX).get("weight_map")
    if not isinstance(shards, dict) or not shards or not all(isinstance(name, str) for name in shards.values()):
        raise Refused(f"{WEIGHTS_INDEX} has no weight_map from tensors to files; save the model again")
    return shards


def read_json(path: Path) -> dict[str, Any]:
    """An object out of a file of a model. Raises Refused for anything else, and for a reference to code."""
    if path.stat().st_size > MAX_JSON_BYTES:
        raise Refused(f"{path.name} is larger than {MAX_JSON_BYTES} bytes, which no model's is; save the model again")
    return parse_json(path.name, path.read_bytes())


def parse_json(name: str, data: bytes, *, may_name_code: bool = False) -> dict[str, Any]:
    """The same out of the bytes of a file, which may hold a reference to code if the caller says so."""
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Refused(f"{name} is not valid JSON ({error}); save the model again") from error
    if not isinstance(content, dict):
        raise Refused(f"{name} must hold an object; save the model again")
    if not may_name_code and names_code(content):
        raise Refused(
            f"{name} has {_REMOTE_CODE_KEY}, which names code of the model's own, and that is never run; use a model that "
            f"transformers knows by itself, or remove {_REMOTE_CODE_KEY} if it does"
        )
    return content


def refuse_without_safetensors(names: Sequence[str]) -> None:
    """Raise Refused for a model whose weights would not be taken, told by its files' names alone."""
    if WEIGHTS not in names and WEIGHTS_INDEX not in names:
        raise Refused(_without_weights(names))


def is_gguf_only(names: Sequence[str]) -> bool:
    """Whether all weights that are there are GGUF files."""
    return any(name.endswith(".gguf") for name in names) and WEIGHTS not in names and WEIGHTS_INDEX not in names


def _shards(shards: Mapping[str, str], names: Sequence[str]) -> list[str]:
    files = sorted(set(shards.values()))
    if len(files) > _MAX_WEIGHT_FILES:
        raise Refused(f"its weights are in more than {_MAX_WEIGHT_FILES} files; save it with larger shards (max_shard_size)")
    for name in files:
        if not _WEIGHT_NAME.fullmatch(name):
            raise Refused(f"{WEIGHTS_INDEX} names {name[:80]!r}, which is no safetensors file beside it; save the model again")
        if name not in names:
            raise Refused(f"{WEIGHTS_INDEX} names {name}, which is not there; copy the missing file beside it")
    return files


def names_code(content: dict[str, Any]) -> bool:
    """Whether any object inside refers to code. A loop, because the file may be a pile of brackets."""
    waiting: list[Any] = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if _REMOTE_CODE_KEY in value:
                return True
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return False


def _without_config(names: Sequence[str]) -> str:
    if any(name.endswith(".gguf") for name in names):
        return "it holds a GGUF file, which can be served but not trained; import the safetensors model it was made from"
    return f"it has no {CONFIG}; give the folder that save_pretrained wrote, or a snapshot of the hub's cache"


def _without_weights(names: Sequence[str]) -> str:
    pickles = sorted(name for name in names if name.endswith(_PICKLE_ENDINGS))
    others = sorted(name for name in names if name.endswith(".safetensors"))
    if others:
        return f"{others[0]} is neither {WEIGHTS} nor named by {WEIGHTS_INDEX}; rename it, or save the model again"
    if pickles:
        return f"its weights are a pickle ({pickles[0]}), and a pickle is never loaded; {_TO_SAFETENSORS}"
    return f"it has no weights: neither {WEIGHTS} nor {WEIGHTS_INDEX}; give the folder that save_pretrained wrote"
