"""A model's licence, out of the front matter of its README."""

import re
from pathlib import Path

README = "README.md"
MAX_LICENSE_CHARACTERS = 64
_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(\n|\Z)", re.DOTALL)
_ENTRY = re.compile(r"^(license|license_name):[ \t]*([^\s#]+)[ \t]*$", re.MULTILINE)
# What a card says when its license is none of the hub's list; license_name then has its name.
_UNLISTED = "other"
_MAX_README_BYTES = 1024 * 1024


def license_of_folder(folder: Path) -> str:
    """The licence that a model's README names; empty if it names none."""
    path = folder / README
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return license_of_card(file.read(_MAX_README_BYTES).decode(errors="replace"))


def license_of_card(text: str) -> str:
    """The same, of a README's text."""
    front = _FRONT_MATTER.match(text.replace("\r\n", "\n"))
    if front is None:
        return ""
    entries = {name: value.strip("\"'") for name, value in _ENTRY.findall(front.group(1))}
    name = entries.get("license", "")
    if name == _UNLISTED:
        name = entries.get("license_name", name)
    return name[:MAX_LICENSE_CHARACTERS]
