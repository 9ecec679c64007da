"""A model's tokenizer and chat template, read from its files and never run."""

from collections.abc import Collection, Mapping
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
    names = [path.name for path in folder.iterdir()]
    config = read_json(folder / TOKENIZER_CONFIG) if TOKENIZER_CONFIG in names else {}
    template = (folder / CHAT_TEMPLATE).read_text(encoding="utf-8", errors="replace") if CHAT_TEMPLATE in names else None
    return tokenizer_of(names, config, template)


def tokenizer_of(names: Collection[str], config: Mapping[str, Any], template: str | None) -> tuple[str, str]:
    """The same, told from the names of all files, the tokenizer's configuration, and the template's own file if there is one."""
    if not any(name in names for name in _TOKENIZER_FILES):
        return "", ""
    # The file of its own goes before the configuration's entry, as in transformers.
    template = _default_template(config.get("chat_template")) if template is None else template
    if len(template) > _MAX_TEMPLATE_CHARACTERS:
        raise Refused(f"its chat template is longer than {_MAX_TEMPLATE_CHARACTERS} characters; shorten it")
    name = config.get("tokenizer_class")
    return (name[:_MAX_CLASS_CHARACTERS] if isinstance(name, str) and name else _DEFAULT_CLASS), template


def _default_template(entry: Any) -> str:
    """One template, or of several by name the one that renders a plain conversation."""
    if isinstance(entry, list):
        named = {one.get("name"): one.get("template") for one in entry if isinstance(one, dict)}
        entry = named.get("default")
    return entry if isinstance(entry, str) else ""
