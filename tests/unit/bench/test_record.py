"""What is written about a run, and where."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from bench import record, tables
from bench.figures import Bar, Better, Figure, outcome
from bench.interleave import Arm, interleave
from bench.suite import Plan, Suite

FIGURES = (
    Figure("fast enough", "ms", "ours.call_ms", Better.LOWER, (Bar(at_most=2.0),)),
    Figure("too slow", "calls/s", "ours.calls_per_s", Better.HIGHER, (Bar(at_least=1000),)),
    Figure("beside it", "", "ours.call_ms", Better.LOWER, beside=("theirs.call_ms",)),
)


@contextmanager
def prepare(_: bool) -> Iterator[Plan]:
    arm = Arm("ours", lambda: {"call_ms": 1.25, "calls_per_s": 800.0})
    yield Plan([arm], absent={"theirs": "it is not installed: `make peers` installs it"}, versions={"own": "1.0"})


SUITE = Suite("trial", "A trial", prepare, FIGURES, ("grpcio",))


@pytest.fixture
def document() -> dict[str, object]:
    setting = record.Setting.of_now()
    with SUITE.prepare(False) as plan:
        rounds = interleave(plan.arms, 7, lambda _: None, lambda: {"speed": 1 / 3})
    outcomes = [outcome(figure, rounds, plan.absent) for figure in SUITE.figures]
    return record.document(SUITE, setting, plan, rounds, outcomes, 0.5)


def test_a_document_holds_what_a_reader_needs_to_judge_it(document: dict[str, object], tmp_path: Path) -> None:
    found = json.loads(record.write(tmp_path, document).read_text())
    assert len(found["commit"].split()[0]) == 40
    assert found["machine"]["load_before"] == 0.5
    assert found["machine"].keys() >= {"processor", "cores", "memory_bytes", "python", "system"}
    assert found["versions"].keys() == {"grpcio", "own"}
    assert found["warm_up_rounds"] == 1
    assert len(found["rounds"]) == 7
    assert all(each["values"] == {"ours.call_ms": 1.25, "ours.calls_per_s": 800.0} for each in found["rounds"])
    assert found["witness"]["speed"]["median"] == 0.333333
    first, second, third = found["figures"]
    assert (first["bars"], first["holds"], first["values"]) == (["≤ 2 ms"], True, [1.25] * 7)
    assert first["estimate"] == {"median": 1.25, "low": 1.25, "high": 1.25, "coverage": 0.984375, "count": 7}
    assert (second["holds"], second["verdict"]) == (False, "falls short: misses ≥ 1,000 calls/s by 200")
    assert (third["estimate"], third["holds"]) == (None, None)


def test_a_table_says_what_holds_and_what_falls_short(document: dict[str, object]) -> None:
    console = Console(width=160, file=io.StringIO(), record=True)
    tables.show(document, console)
    said = console.export_text()
    assert "falls short: misses ≥ 1,000 calls/s by 200" in said
    assert "not measured: theirs: it is not installed: `make peers` installs it" in said
    assert "intervals cover 98.4 %" in said


def test_the_readme_has_a_section_for_each_bench_with_remarks_by_hand(document: dict[str, object], tmp_path: Path) -> None:
    record.write(tmp_path, document)
    record.write(tmp_path, {"name": "once", "time": "now", "commit": "abc", "figures": {"jobs_count": 100}})
    (tmp_path / "trial.md").write_text("Slow because of the disk.\n")
    readme = tables.write_readme(tmp_path).read_text()
    assert [line for line in readme.splitlines() if line.startswith("## ")] == ["## once", "## A trial"]
    assert "| fast enough | ≤ 2 ms | 1.25 ms | 1.25 to 1.25 | holds |" in readme
    assert "| jobs_count | 100 |" in readme
    assert "Slow because of the disk." in readme


@pytest.mark.parametrize(
    ("rounds", "quick", "published"), [(7, False, True), (9, False, True), (6, False, False), (7, True, False)], ids=str
)
def test_only_whole_runs_replace_what_is_published(rounds: int, quick: bool, published: bool) -> None:
    assert record.folder_for(rounds, quick) == (record.PUBLISHED if published else record.TRIALS)
