"""One case: its estimate, and what a process that ran nothing else held."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tunesmith.pool.v1 import pool_pb2
from tunesmith.preflight.v1 import estimate_pb2
from tunesmith.registry.v1 import base_model_pb2

from bench.memory.cases import Case
from bench.memory.shapes import base_model, write_model, write_rows
from bench.record import ROOT
from services.preflight.estimate.memory import estimate_memory
from services.preflight.estimate.workload import Workload
from workers.heap import ONE_HEAP
from workers.providers.local.provider import LOCAL

TIMEOUT_S = 900.0


def measure(cases: Iterable[Case], shapes: dict[str, dict[str, Any]], device: pool_pb2.Device) -> Iterator[dict[str, Any]]:
    """Each case with its estimate and its measurement."""
    with tempfile.TemporaryDirectory(prefix="tsm-") as name:
        bases: dict[str, tuple[Path, base_model_pb2.BaseModel]] = {}
        for number, case in enumerate(cases):
            if case.shape not in bases:
                folder = Path(name) / case.shape
                write_model(shapes[case.shape], folder)
                bases[case.shape] = (folder, base_model(shapes[case.shape]))
            folder, model = bases[case.shape]
            yield _entry(case, estimate(case, model, device), run(case, folder, shapes[case.shape], Path(name) / str(number)))


def estimate(case: Case, model: base_model_pb2.BaseModel, device: pool_pb2.Device) -> estimate_pb2.MemoryEstimate:
    """For local's own trainer on this device."""
    configuration, lengths = case.configuration(), case.lengths
    assert LOCAL.execution is not None
    mean = sum(lengths) / len(lengths)
    execution = LOCAL.execution(configuration)
    return estimate_memory(Workload(model, configuration, execution, len(lengths), case.row_tokens, mean, device))


def run(case: Case, base: Path, shape: dict[str, Any], folder: Path) -> dict[str, Any]:
    """In a new process. Raises RuntimeError with the end of what it said if it fails."""
    folder.mkdir()
    (folder / "base").symlink_to(base)
    (folder / "case.json").write_text(json.dumps(dataclasses.asdict(case)))
    write_rows(folder / "rows.jsonl", case.lengths, shape["vocab_size"])
    command = [sys.executable, "-m", "bench.memory.one", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | ONE_HEAP, capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode:
        raise RuntimeError(f"{case.name}: {done.stderr[-2000:]}")
    measured: dict[str, Any] = json.loads((folder / "measured.json").read_text())
    shutil.rmtree(folder)
    return measured


def _entry(case: Case, estimated: estimate_pb2.MemoryEstimate, measured: dict[str, Any]) -> dict[str, Any]:
    held = measured.get("allocated_bytes", measured["peak_bytes"])
    overhead = next(each.bytes for each in estimated.components if each.name == "overhead")
    # On a GPU what tensors hold is compared with what tensors held.
    compared = estimated.peak_bytes - overhead if "allocated_bytes" in measured else estimated.peak_bytes
    return {
        "case": case.name,
        "estimated_bytes": estimated.peak_bytes,
        "components": {each.name: each.bytes for each in estimated.components},
        "phases": {phase.name: phase.bytes for phase in estimated.phases},
        "measured": measured,
        "error": compared / held - 1,
    }
