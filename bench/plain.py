"""Running the plain script: the recipe without Tunesmith, as a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import family
from bench.plain_recipe import MARK
from bench.recipe import Recipe
from bench.record import ROOT

SCRIPT = ROOT / "bench" / "plain_recipe.py"
TIMEOUT_S = 600.0
# The script reads local files only.
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


@dataclass(frozen=True)
class Run:
    """What the script told of itself, in seconds from the start of the command that ran it."""

    imported: float
    began: float
    steps: list[float]
    saved: float
    ended: float
    losses: list[float]


def command(model: Path, rows: Path, recipe: Recipe) -> list[str]:
    """The script on files of this machine."""
    return [sys.executable, str(SCRIPT), "--model", str(model), "--rows", str(rows), *recipe.arguments()]


def run(script: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command that runs the script, and wait for it. Raises RuntimeError if it fails."""
    begin = time.time()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(script, env=environment or os.environ | OFFLINE, stdout=said, stderr=subprocess.STDOUT)
        try:
            process.wait(TIMEOUT_S)
        finally:
            ended = time.time() - begin
            family.end(process)
        said.seek(0)
        output = said.read().decode(errors="replace")
    if process.returncode != 0:
        raise RuntimeError(f"{script[1:4]} ended with {process.returncode}:\n{output[-2000:]}")
    return read(output, begin, ended)


def read(output: str, begin: float, ended: float) -> Run:
    """What a command has printed that ran the script. Raises RuntimeError if the script did not come to its end."""
    told = [line.partition(MARK)[2] for line in output.splitlines() if line.startswith(MARK)]
    if not told:
        raise RuntimeError(f"the script did not come to its end:\n{output[-2000:]}")
    times = json.loads(told[-1])
    steps = [step - begin for step in times["steps"]]
    return Run(times["imported"] - begin, times["began"] - begin, steps, times["saved"] - begin, ended, times["losses"])
