"""A model's tokenizer and chat template, read from its files and never run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.registry.importing.files import CHAT_TEMPLATE, TOKENIZER_CONFIG, read_json
from services.registry.importing.refused import Refused

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
# The class that loads a tokenizer.json which says nothing else.
_DEFAULT_CLASS = "PreTrainedTokenizerFast"
_MAX_CLASS_CHARACTERS = 128
# The longest published templates have 30,000; a list of models carries every one.
_MAX_TEMPLATE_CHARACTERS = 200_000


def tokenizer_and_template(folder: Path) -> tuple[str, str]:
    """The tokenizer's class and the chat template, empty where there is none. Raises Refused."""
    if not any((folder / name).exists() for name in _TOKENIZER_FILES):
        return "", ""
    config: Mapping[str, Any] = {}
    if (folder / TOKENIZER_CONFIG).exists():
        config = read_json(folder / TOKENIZER_CONFIG)
    name = config.get("tokenizer_class")
    return (name[:_MAX_CLASS_CHARACTERS] if isinstance(name, str) and name else _DEFAULT_CLASS), _template(folder, config)


def _template(folder: Path, config: Mapping[str, Any]) -> str:
    """The file of its own goes before the configuration's entry, as in transformers."""
    path = folder / CHAT_TEMPLATE
    if path.exists():
        template = path.read_text(encoding="utf-8", errors="replace")
    else:
        template = _default_template(config.get("chat_template"))
    if len(template) > _MAX_TEMPLATE_CHARACTERS:
        raise Refused(f"its chat template is longer than {_MAX_TEMPLATE_CHARACTERS} characters; shorten it")
    return template


def _default_template(entry: Any) -> str:
    """One template, or of several by name the one that renders a plain conversation."""
    if isinstance(entry, list):
        named = {one.get("name"): one.get("template") for one in entry if isinstance(one, dict)}
        entry = named.get("default")
    return entry if isinstance(entry, str) else ""
