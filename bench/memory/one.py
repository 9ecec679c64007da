"""`python -m bench.memory.one FOLDER`: train one configuration in this process, as a warm actor would, and write what it held.

The folder has `case.json`, `base` and `rows.jsonl`; afterwards `measured.json`.
"""

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

from tunesmith.job.v1 import job_pb2
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.worker.v1 import worker_service_pb2

from bench.memory.cases import Case
from workers.actor import MAX_PRIMITIVES, PRIMITIVES_VARIABLE, use_threads_of_a_plain_script
from workers.own_thread import in_own_thread
from workers.training.sink import Nobody


class Listener(Nobody):
    """A sink that keeps the figures."""

    def __init__(self) -> None:
        self.figures = job_pb2.JobFigures()
        self.steady_bytes = 0.0

    def metrics(self, step: int, values: dict[str, float]) -> None:
        self.steady_bytes = values.get("memory_bytes", self.steady_bytes)

    def measured(self, figures: job_pb2.JobFigures) -> None:
        self.figures.MergeFrom(figures)


def main(folder: Path) -> None:
    """What workers.actor does before and around an attempt."""
    case = Case(**json.loads((folder / "case.json").read_text()))
    use_threads_of_a_plain_script(None)
    os.environ.setdefault(PRIMITIVES_VARIABLE, MAX_PRIMITIVES)
    gc.disable()
    import torch

    from workers.training.attempt import run
    from workers.training.inputs import Inputs
    from workers.training.memory import settle
    from workers.training.warm_up import warm_up

    gc.freeze()
    gc.enable()
    in_own_thread(lambda: warm_up(folder / "warm-up"))
    settle()
    listener = Listener()
    inputs = Inputs(str(folder / "base"), None, folder / "rows.jsonl", None, folder / "work")
    in_own_thread(lambda: run(_assignment(case), inputs, listener))
    measured: dict[str, Any] = {"peak_bytes": listener.figures.peak_memory_bytes, "steady_bytes": listener.steady_bytes}
    if torch.cuda.is_available():
        measured["allocated_bytes"] = torch.cuda.max_memory_allocated()
        measured["reserved_bytes"] = torch.cuda.max_memory_reserved()
        measured["device_bytes"] = _held_on_device(torch)
    (folder / "measured.json").write_text(json.dumps(measured))


def _assignment(case: Case) -> worker_service_pb2.Assignment:
    assignment = worker_service_pb2.Assignment(provider="local", configuration=case.configuration())
    assignment.base_model.display_name = case.shape
    assignment.training_dataset.format = dataset_pb2.DATASET_FORMAT_TEXT
    return assignment


def _held_on_device(torch: Any) -> int:
    """As the driver sees it, context included, now that the run is over."""
    free, total = torch.cuda.mem_get_info()
    return int(total - free)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
