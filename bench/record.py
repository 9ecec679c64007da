"""Where figures go: a table for people, JSON with the commit and the machine for later."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "benchmarks"


def write(name: str, figures: dict[str, object]) -> Path:
    """Write figures under a name, over those of the run before."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    document = {"name": name, "time": datetime.now(UTC).isoformat(timespec="seconds"), "commit": _commit(), "machine": _machine()}
    path.write_text(json.dumps(document | {"figures": figures}, indent=2) + "\n")
    return path


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
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
    }
