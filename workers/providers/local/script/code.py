"""How values and calls are written in Python."""

import json
from collections.abc import Mapping
from typing import Any

INDENT = "    "
# What `ruff format` breaks at; a call that is longer gets a line for each argument.
LINE_LENGTH = 120


class Code(str):
    """Text that stands in the script as it is: a name, not a string."""


def literal(value: Any) -> str:
    """A value as Python has it, strings in double quotes."""
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, str):
        # JSON's escapes are Python's too.
        return "".join(each if each.isprintable() else _escaped(each) for each in json.dumps(value, ensure_ascii=False))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(key)}: {literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(literal(each) for each in value) + "]"
    return repr(value)


def _escaped(character: str) -> str:
    """What a terminal or an editor would act on instead of showing it."""
    return character.encode("unicode_escape").decode()


def call(name: str, arguments: Mapping[str, Any], indent: int = 0, prefix: str = "") -> str:
    """`prefix name(key=value, …)`, behind so many indentations; a line for each argument where one is too short."""
    margin = INDENT * indent
    # Of a name that begins with two stars, what it unpacks.
    given = [f"**{literal(value)}" if key.startswith("**") else f"{key}={literal(value)}" for key, value in arguments.items()]
    line = f"{margin}{prefix}{name}({', '.join(given)})"
    if len(line) <= LINE_LENGTH:
        return line
    return "\n".join([f"{margin}{prefix}{name}(", *(f"{margin}{INDENT}{each}," for each in given), f"{margin})"])


def lines(*parts: str | None) -> str:
    """Lines of code, without those that are not there."""
    return "\n".join(part for part in parts if part is not None)
