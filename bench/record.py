"""Where figures go: JSON with everything that was measured, and what it was measured on."""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Outcome
from bench.interleave import WARM_UP_ROUNDS, Rounds
from bench.intervals import estimate
from bench.suite import Plan, Suite

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "docs" / "benchmarks"
TRIALS = ROOT / ".build" / "bench"
# With fewer rounds no interval covers a median with 95 % and something to spare.
PUBLISHED_ROUNDS = 7
_DIGITS = 6


@dataclass(frozen=True)
class Setting:
    """What a run is of and on. Taken before the first bench, whose own files would count as changes."""

    commit: str
    machine: dict[str, object]

    @classmethod
    def of_now(cls) -> "Setting":
        return cls(_commit(), _machine())


def folder_for(rounds: int, quick: bool) -> Path:
    """Where a run's figures belong: only whole ones replace the published ones."""
    return TRIALS if quick or rounds < PUBLISHED_ROUNDS else PUBLISHED


def document(
    suite: Suite, setting: Setting, plan: Plan, rounds: Rounds, outcomes: Iterable[Outcome], load_before: float
) -> dict[str, Any]:
    """Everything about a run, from each round's raw values to whether each bar is cleared."""
    versions = {name: importlib.metadata.version(name) for name in suite.distributions}
    witnesses = rounds.rounds[0].witness
    return {
        "name": suite.name,
        "title": suite.title,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": setting.commit,
        "machine": setting.machine | {"load_before": load_before},
        "versions": versions | plan.versions,
        "warm_up_rounds": WARM_UP_ROUNDS,
        "not_measured": plan.absent | rounds.failed,
        "figures": [_figure(each) for each in outcomes],
        "witness": {name: asdict(estimate([each.witness[name] for each in rounds.rounds])) for name in witnesses},
        "rounds": [asdict(each) for each in rounds.rounds],
    }


def write(folder: Path, content: dict[str, Any]) -> Path:
    """Write a run's document under its name, over that of the run before."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{content['name']}.json"
    path.write_text(json.dumps(_rounded(content), indent=2, ensure_ascii=False) + "\n")
    return path


def _figure(outcome: Outcome) -> dict[str, Any]:
    figure = outcome.figure
    return {
        "title": figure.title,
        "unit": figure.unit,
        "formula": outcome.formula,
        "better": figure.better.value,
        "bars": [bar.words(figure.unit) for bar in figure.bars],
        "estimate": asdict(outcome.estimate) if outcome.estimate else None,
        "values": list(outcome.values),
        "holds": outcome.holds,
        "verdict": outcome.verdict(),
    }


def _rounded(value: Any) -> Any:
    """Six digits are more than any of these figures deserve."""
    match value:
        case float():
            return float(f"{value:.{_DIGITS}g}")
        case dict():
            return {name: _rounded(each) for name, each in value.items()}
        case list() | tuple():
            return [_rounded(each) for each in value]
    return value


def _commit() -> str:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return f"{head} with changes" if changed.strip() else head


def _machine() -> dict[str, object]:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": names[0].partition(":")[2].strip() if names else platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
        "system": f"{sys.platform} {platform.release()}",
    }
