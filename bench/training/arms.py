"""Each arm in a process of its own that ran nothing before."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import family
from bench.plain import OFFLINE
from bench.record import ROOT
from bench.training.cases import ALPHA, RANK, Settings
from bench.training.script import MARK
from workers.heap import ONE_HEAP

TIMEOUT_S = 1800.0


def job(folder: Path, settings: Settings) -> dict[str, float]:
    """Our attempt with these settings, in the heap that an actor has."""
    (folder / "settings.json").write_text(json.dumps(dataclasses.asdict(settings)))
    return _run([sys.executable, "-m", "bench.training.job", str(folder)], os.environ | OFFLINE | ONE_HEAP)


def script(folder: Path, *, equal: bool) -> dict[str, float]:
    """The plain script."""
    words = [sys.executable, str(ROOT / "bench" / "training" / "script.py"), "--model", str(folder / "base")]
    words += ["--rows", str(folder / "rows.jsonl"), "--rank", str(RANK), "--alpha", str(ALPHA), *(["--equal"] if equal else [])]
    return _run(words, os.environ | OFFLINE)


def _run(words: list[str], environment: dict[str, str]) -> dict[str, float]:
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT)
        try:
            process.wait(TIMEOUT_S)
        finally:
            family.end(process)
        said.seek(0)
        output = said.read().decode(errors="replace")
    told = [line.partition(MARK)[2] for line in output.splitlines() if line.startswith(MARK)]
    if process.returncode != 0 or not told:
        raise RuntimeError(f"{words[1:3]} ended with {process.returncode}:\n{output[-2000:]}")
    return figures(json.loads(told[-1]))


def figures(told: dict[str, float]) -> dict[str, float]:
    """Named with their units. Equal losses say that two arms have computed the same."""
    return {
        "tokens_per_s": told["tokens"] / told["training_s"],
        "training_s": told["training_s"],
        "tokens_count": told["tokens"],
        "last_loss_ratio": told["last_loss"],
        "peak_mib": told["peak_mib"],
    }
