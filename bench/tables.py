"""A run's figures for people: a table in the terminal, and docs/benchmarks/README.md with one a bench."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.figures import number

HEAD = ("figure", "bar", "median", "interval", "verdict")
_INTRODUCTION = """\
# Benchmarks

Written by `make bench` from the JSON files beside it, which hold every round's values. An interval is one of order statistics: it
holds the true median with the probability named, whatever the distribution. Arms are measured in turn, forwards and backwards by
turns, and what is compared is compared within a round. A figure that falls short of its bar is written down as short of it; bars
are never moved.
"""


def show(document: dict[str, Any], console: Console) -> None:
    """Print a run's table."""
    table = Table(title=document["title"], title_justify="left", box=None, pad_edge=False)
    for name in HEAD:
        table.add_column(name, justify="right" if name in ("median", "interval") else "left")
    for row in _rows(document):
        table.add_row(*row)
    console.print(table)
    console.print(*_remarks(document), sep="\n")


def write_readme(folder: Path) -> Path:
    """Write the tables of every bench in a folder. Remarks in `<name>.md`, written by hand, follow the table of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [_INTRODUCTION]
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text())
        remarks = path.with_suffix(".md")
        parts.append(_section(document, path.name, remarks.read_text().strip() if remarks.exists() else ""))
    readme = folder / "README.md"
    readme.write_text("\n".join(parts))
    return readme


def _section(document: dict[str, Any], file: str, remarks: str) -> str:
    if "rounds" in document:
        lines = [f"## {document['title']}", "", *_table(HEAD, _rows(document)), "", *(f"- {each}" for each in _remarks(document))]
    else:
        # What was measured once, by a test say: figures by name, without rounds, bars or intervals.
        named = ((name, str(value)) for name, value in document["figures"].items())
        lines = [f"## {document['name']}", "", *_table(("figure", "value"), named), ""]
        lines += ["- measured once", f"- {document['time']}, commit {document['commit']}"]
    lines += [f"- raw values: [{file}]({file})", ""]
    return "\n".join([*lines, remarks, ""] if remarks else lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_line(head), _line(["---"] * len(head)), *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _rows(document: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for figure in document["figures"]:
        found, unit = figure["estimate"], figure["unit"]
        median = f"{number(found['median'])} {unit}".strip() if found else ""
        interval = f"{number(found['low'])} to {number(found['high'])}" if found else ""
        yield figure["title"], ", ".join(figure["bars"]), median, interval, figure["verdict"]


def _remarks(document: dict[str, Any]) -> Iterator[str]:
    machine, rounds = document["machine"], document["rounds"]
    covered = {round(100 * each["estimate"]["coverage"], 1) for each in document["figures"] if each["estimate"]}
    yield f"rounds: {len(rounds)}, after {document['warm_up_rounds']} to warm up; intervals cover {_list(covered)} %"
    yield f"{document['time']}, commit {document['commit']}"
    memory = f"{machine['memory_bytes'] / 1024**3:.0f} GiB, load before {machine['load_before']:.2f}"
    yield f"{machine['processor']}, {machine['cores']} cores, {memory}, Python {machine['python']}"
    yield f"of {_list(f'{name} {version}' for name, version in document['versions'].items())}"
    for name, found in document["witness"].items():
        values = [each["witness"][name] for each in rounds]
        yield f"speed witness {name}: {number(found['median'])}, from {number(min(values))} to {number(max(values))}"
    yield f"time stolen by the host: at most {100 * max(each['steal_share'] for each in rounds):.1f} % of a round"
    for arm, why in document["not_measured"].items():
        yield f"not measured: {arm}: {why.splitlines()[0]}"


def _list(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)
