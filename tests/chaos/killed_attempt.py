"""One attempt in a process of its own that kills itself with SIGKILL at a moment it was told, and what it leaves behind."""

import json
import os
import shutil
import signal
from dataclasses import dataclass, replace
from pathlib import Path

from tunesmith.job.v1 import artifact_pb2
from tunesmith.worker.v1 import worker_service_pb2

from workers.training.inputs import Inputs
from workers.training.sink import Nobody

POINTS = "points.jsonl"
_STATES = "states"
# Between a step's figures and its training state, in the middle of a batch, before and after a state is where it belongs.
MOMENTS = ("told", "batch", "storing", "stored")


@dataclass(frozen=True)
class Kill:
    """When to die: at the first such moment from a step on."""

    step: int
    moment: str


def latest_state(folder: Path) -> Path | None:
    """Where an attempt stood last, as a service would have it: whole, or not at all."""
    states = sorted((folder / _STATES).glob("[0-9]*"))
    return states[-1] if states else None


def points(folder: Path) -> dict[str, dict[int, float]]:
    """What all attempts told; of a step that several trained, the one that came last."""
    told: dict[str, dict[int, float]] = {}
    for line in (folder / POINTS).read_text().splitlines():
        step, values = json.loads(line)
        for key, value in values.items():
            told.setdefault(key, {})[step] = value
    return told


def run_attempt(assignment: bytes, inputs: Inputs, folder: Path, number: int, kill: Kill | None) -> None:
    """Go on from the latest state in the folder, to the end or until it is killed."""
    import torch

    from workers.training.attempt import run

    torch.set_num_threads(1)
    own = replace(
        inputs,
        work_folder=folder / f"work-{number}",
        training_state=latest_state(folder),
        # As often as may be.
        training_state_seconds=1e-6,
    )
    run(worker_service_pb2.Assignment.FromString(assignment), own, _Disk(folder, kill))


class _Disk(Nobody):
    """A sink that keeps on disk what a service would keep, as durably."""

    def __init__(self, folder: Path, kill: Kill | None) -> None:
        self._folder = folder
        self._kill = kill
        self._step = 0

    def metrics(self, step: int, values: dict[str, float]) -> None:
        self._step = step
        with (self._folder / POINTS).open("a") as file:
            file.write(json.dumps([step, values]) + "\n")
        self._die("told")

    def directive(self) -> worker_service_pb2.Directive:
        self._die("batch")
        return worker_service_pb2.DIRECTIVE_CONTINUE

    def add_artifacts(self, kind: artifact_pb2.ArtifactKind, name: str, step: int, folder: Path) -> None:
        is_state = kind == artifact_pb2.ARTIFACT_KIND_TRAINING_STATE
        place = self._folder / (f"{_STATES}/{step:06}" if is_state else name)
        arriving = place.with_name(f"arriving-{place.name}")
        shutil.rmtree(arriving, ignore_errors=True)
        arriving.parent.mkdir(exist_ok=True)
        shutil.copytree(folder, arriving)
        self._die("storing")
        shutil.rmtree(place, ignore_errors=True)
        arriving.rename(place)
        self._die("stored")

    def _die(self, moment: str) -> None:
        if self._kill is not None and self._step >= self._kill.step and moment == self._kill.moment:
            os.kill(os.getpid(), signal.SIGKILL)
