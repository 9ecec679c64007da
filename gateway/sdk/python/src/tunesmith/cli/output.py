"""Where things are printed and how: data to standard output, progress and notes to standard error."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

import yaml
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from tunesmith.cli.wording import controls_terminal, plain

# A file or a pipe has no width: a table in it is as wide as what it says.
UNBOUNDED_WIDTH = 10_000


class Format(StrEnum):
    """What standard output holds."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class Output:
    """The two streams of one command."""

    def __init__(self, format: Format) -> None:
        self.format = format
        self.data = _console(sys.stdout)
        self.notes = _console(sys.stderr)

    def show(self, message: Message, table: Callable[[], Table]) -> None:
        """Print an answer: as it came, or the table that is made of it."""
        if self.format is Format.TABLE:
            self.table(table())
        else:
            self.document(as_json(message))

    def table(self, drawn: Table) -> None:
        """Print a table; into a file without the spaces that fill up its last column."""
        if self.data.is_terminal:
            self.data.print(drawn)
            return
        with self.data.capture() as captured:
            self.data.print(drawn)
        for line in captured.get().splitlines():
            self.write(line.rstrip())

    def document(self, value: object) -> None:
        """Print data for programs."""
        text = json.dumps(value, indent=2, ensure_ascii=False) if self.format is Format.JSON else _yaml(value)
        self.write(_harmless(text).rstrip("\n"))

    def json_line(self, message: Message) -> None:
        """Print a message as one line, at once, for a program that reads along."""
        self.write(_harmless(json.dumps(as_json(message), ensure_ascii=False)))

    def line(self, text: str) -> None:
        """Print a line of data."""
        self.data.print(plain(text), soft_wrap=True)

    def note(self, text: str, style: str | None = None) -> None:
        """Tell the person something that is not data."""
        self.notes.print(plain(text), soft_wrap=True, style=style)

    def write(self, text: str) -> None:
        """Print a line exactly as it is."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def table(*columns: str, rows: Iterable[Sequence[str]], whole: int = 1) -> Table:
    """A table without lines. The first `whole` columns are never cut, so that an id can be copied."""
    drawn = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    cells = [[plain(cell) for cell in row] for row in rows]
    for index, column in enumerate(columns):
        if index < whole:
            width = max((len(row[index]) for row in cells), default=0)
            drawn.add_column(column, no_wrap=True, min_width=max(width, len(column)))
        else:
            drawn.add_column(column, overflow="fold")
    for row in cells:
        drawn.add_row(*row)
    return drawn


def facts(pairs: Iterable[tuple[str, str]]) -> Table:
    """What is known of one thing, one fact a line; empty ones are left out."""
    drawn = Table(box=None, pad_edge=False, show_header=False, show_edge=False)
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for label, value in pairs:
        if value:
            drawn.add_row(label, plain(value))
    return drawn


def as_json(message: Message) -> dict[str, object]:
    """A message as the HTTP API prints it."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def _console(stream: object) -> Console:
    terminal = bool(getattr(stream, "isatty", lambda: False)())
    # Texts come from the server: no markup, no emoji codes, no guessing what is a number.
    return Console(
        file=stream,  # type: ignore[arg-type]
        width=None if terminal else UNBOUNDED_WIDTH,
        force_terminal=terminal,
        markup=False,
        emoji=False,
        highlight=False,
    )


def _yaml(value: object) -> str:
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=UNBOUNDED_WIDTH)
    if any(controls_terminal(character) for character in text if character != "\n"):
        text = yaml.safe_dump(value, sort_keys=False, allow_unicode=False, width=UNBOUNDED_WIDTH)
    return text


def _harmless(text: str) -> str:
    """JSON in which what a terminal would act on is written as an escape, which means the same."""
    return re.sub(r"[^\n]", lambda found: f"\\u{ord(found[0]):04x}" if controls_terminal(found[0]) else found[0], text)
