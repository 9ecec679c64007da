"""`python -m bench.memory --half unseen`: estimated and measured memory on this machine's CPU, or with --gpu on its GPU.

Formulas are made with the seen half; the figures of the unseen one are what is published, below docs/benchmarks.
"""

import argparse
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from tunesmith.pool.v1 import pool_pb2

from bench import record
from bench.memory.cases import CPU_BATCHES, GPU_BATCHES, HALVES, SEED, cases, half
from bench.memory.measure import measure
from bench.memory.shapes import CPU_SHAPES, GPU_SHAPES
from workers import devices

LIBRARIES = ("torch", "transformers", "peft", "trl")
NO_GPU = "bench-gpu: this machine has no GPU that torch sees, so nothing was measured; run it where there is one"


def main(words: Sequence[str] | None = None) -> None:
    """Measure and write."""
    arguments = parse(words)
    device = _gpu() if arguments.gpu else devices.cpu()
    if device is None:
        print(NO_GPU)
        return
    setting = record.Setting.of_now()
    shapes = GPU_SHAPES if arguments.gpu else CPU_SHAPES
    every = cases(list(shapes), GPU_BATCHES, 1) if arguments.gpu else cases(list(shapes), CPU_BATCHES, 2)
    chosen = every if arguments.half is None else half(every, arguments.half)
    chosen = chosen[: arguments.first] if arguments.first else chosen
    entries = []
    for entry in measure(chosen, shapes, device):
        entries.append(entry)
        print(f"{len(entries):3} of {len(chosen)}  {entry['error']:+7.1%}  {entry['case']}", flush=True)
    published = not arguments.first and arguments.half != "seen"
    folder = record.PUBLISHED if published else record.TRIALS
    print(f"written to {record.write(folder, document(entries, device, setting, arguments))}")


def document(
    entries: list[dict[str, Any]], device: pool_pb2.Device, setting: record.Setting, arguments: argparse.Namespace
) -> dict[str, Any]:
    """The figures of a run, and each case's values."""
    errors = [abs(entry["error"]) for entry in entries]
    figures = {
        "device": device.name,
        "configurations": len(entries),
        "half": arguments.half or "all",
        "mean absolute error": statistics.mean(errors),
        "median absolute error": statistics.median(errors),
        "largest absolute error": max(errors),
        "mean error": statistics.mean(entry["error"] for entry in entries),
    }
    return {
        "name": "memory-gpu" if arguments.gpu else "memory",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": setting.commit,
        "machine": setting.machine,
        "versions": {name: version(name) for name in LIBRARIES},
        "seed": SEED,
        "figures": figures,
        "entries": entries,
    }


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("--half", choices=HALVES, help="only this half of the configurations")
    parser.add_argument("--gpu", action="store_true", help="on the GPU, all configurations of real shapes")
    parser.add_argument("--first", type=int, default=0, help="only so many of them, to see that everything works")
    return parser.parse_args(words)


def _gpu() -> pool_pb2.Device | None:
    from workers.training.gpus import gpus

    return next(iter(gpus()), None)


if __name__ == "__main__":
    main()
