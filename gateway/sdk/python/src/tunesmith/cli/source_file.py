"""A YAML or JSON file: its value, the line of each field, and what is wrong with it as a file."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from tunesmith.cli.errors import EXIT_USAGE, CliError
from tunesmith.client.errors import Violation
from tunesmith.client.field_problems import problems

STANDARD_INPUT = "-"
STANDARD_INPUT_SHOWN = "standard input"


class _Loader(yaml.SafeLoader):
    """YAML without dates: a suffix of 2026-01-01 is a text."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own name for it)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_text(name: str) -> str:
    """The text of a file, `-` being standard input. Raises CliError."""
    try:
        return sys.stdin.read() if name == STANDARD_INPUT else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise CliError(f"{name}: {reason}; give a YAML or JSON file, or - for standard input", EXIT_USAGE) from None


@dataclass(frozen=True)
class SourceFile:
    """What a file says, and where."""

    name: str
    value: Any
    # Of each field path.
    lines: dict[str, int]
    # Keys that are there twice.
    repeated: list[Violation]

    def fill(self, message: Message) -> None:
        """Put an object's fields into a message. Raises CliError with a line for every mistake."""
        found = [*self.repeated, *problems(self.value, message.DESCRIPTOR)]
        if found:
            told = (f"{place(self.name, self.lines, one.field)}: {one.field}: {one.description}" for one in found)
            raise CliError("\n".join(told), EXIT_USAGE)
        try:
            ParseDict(self.value, message)
        except ParseError as error:
            raise CliError(f"{self.name}: {error}; `tunesmith parameters` lists what there is", EXIT_USAGE) from None


def parse(text: str, name: str) -> SourceFile:
    """What a text says. Raises CliError for one that is neither YAML nor JSON."""
    lines: dict[str, int] = {}
    try:
        # JSON may be indented with tabs, and YAML may not.
        loader = _Loader(text.replace("\t", " ") if text.lstrip().startswith("{") else text)
        node = loader.get_single_node()
        value = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise CliError(f"{name}{line}: is neither YAML nor JSON: {error.problem}", EXIT_USAGE) from None
    except yaml.YAMLError as error:
        raise CliError(f"{name}: is neither YAML nor JSON: {str(error).splitlines()[0]}", EXIT_USAGE) from None
    repeated = list(_read_lines(node, "", lines)) if node is not None else []
    return SourceFile(name, _as_json(text, value), lines, repeated)


def _as_json(text: str, value: Any) -> Any:
    """The value as JSON has it, if the text is JSON: its escapes are not all YAML's."""
    try:
        return json.loads(text)
    except ValueError:
        return value


def _read_lines(node: yaml.Node, path: str, lines: dict[str, int]) -> Iterator[Violation]:
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[f"{path}[{index}]"] = item.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            inner = f"{path}.{key.value}" if path else str(key.value)
            if key.value in seen:
                yield Violation(inner, f"is there again in line {key.start_mark.line + 1}; remove one")
            seen.add(key.value)
            lines.setdefault(inner, key.start_mark.line + 1)
            yield from _read_lines(value, inner, lines)


def place(name: str, lines: dict[str, int], path: str) -> str:
    """The file and the line of a field, or of the section that it is missing from."""
    while path and path not in lines:
        path = re.sub(r"(\.[^.\[]*|\[\d+\]|^[^.\[]*)$", "", path)
    return f"{name}:{lines[path]}" if path else name
