"""How a process speaks to the conductor, and hears from it."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from tunesmith.job.v1 import artifact_pb2, histogram_pb2, job_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.errors import ServiceError
from workers.door import Door, LeaseLost
from workers.training.sink import Stopped
from workers.upload import store

# How often the first process asks what a person wants.
ASK_S = 0.25


class Line(Protocol):
    """What leads to the conductor. `tell` does not wait; the others do."""

    def tell(self, what: str, *arguments: Any) -> None:
        """Say something; it is heard in order."""

    def flush(self) -> None:
        """Wait until what was said has reached the service."""

    def directive(self) -> int:
        """What a person wants."""

    def ended(self, rank: int, outcome: bytes) -> None:
        """How this process ended."""


class Voice:
    """The sink of one process. Only the first one asks for directives and stores artifacts, which go straight to the door."""

    def __init__(self, line: Line, rank: int, door: Door, lease: worker.LeaseToken) -> None:
        self._line = line
        self._rank = rank
        self._door = door
        self._lease = lease
        self._directive: int = worker.DIRECTIVE_CONTINUE
        self._over = threading.Event()
        if rank == 0:
            threading.Thread(target=self._ask_until_over, name="directive", daemon=True).start()

    def stage(self, message: str) -> None:
        """The job entered a stage."""
        self._line.tell("stage", message)

    def warning(self, message: str) -> None:
        """Something a person should know, though the job goes on."""
        self._line.tell("warning", message)

    def progress(self, step: int, total_steps: int, epoch: float, remaining_s: float | None) -> None:
        """How far the job is."""
        self._line.tell("progress", step, total_steps, epoch, remaining_s)

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """One point of each series named."""
        self._line.tell("metrics", step, values)

    def histograms(self, histograms: Sequence[histogram_pb2.WeightHistogram]) -> None:
        """How the trained weights are distributed."""
        self._line.tell("histograms", [one.SerializeToString() for one in histograms])

    def evaluated(self, step: int, loss: float) -> None:
        """An evaluation ended."""
        self._line.tell("evaluated", step, loss)

    def measured(self, figures: job_pb2.JobFigures) -> None:
        """Figures that became known."""
        self._line.tell("measured", figures.SerializeToString())

    def hung(self, error: ServiceError) -> None:
        """The process hangs: the conductor says so and ends the attempt."""
        self._line.tell("hung", error.status().SerializeToString())

    def directive(self) -> worker.Directive:
        """What a person wants, as last heard. Processes but the first hear it from that one, all at the same step."""
        heard: Any = self._directive
        return heard

    def add_artifacts(self, kind: artifact_pb2.ArtifactKind, name: str, step: int, folder: Path) -> None:
        """Store a folder's files as one set, after everything that was said before. Raises Stopped and Refused."""
        self._line.flush()
        self._stop_if_cancelled()
        header = worker.ArtifactSetHeader(lease=self._lease, kind=kind, name=name, step=step)
        try:
            store(self._door, header, folder, self.pause)
        except LeaseLost as lost:
            self._line.tell("lost", str(lost))
            raise Stopped(worker.DIRECTIVE_CANCEL) from lost

    def pause(self, seconds: float) -> None:
        """Wait. Raises Stopped as soon as there is no use in going on."""
        self._over.wait(seconds)
        self._stop_if_cancelled()

    def close(self, outcome: worker.Outcome | None) -> None:
        """Say how the process ended; None if it ended because of another one."""
        self._over.set()
        if outcome is not None:
            self._line.ended(self._rank, outcome.SerializeToString())

    def _stop_if_cancelled(self) -> None:
        if self.directive() == worker.DIRECTIVE_CANCEL:
            raise Stopped(worker.DIRECTIVE_CANCEL)

    def _ask_until_over(self) -> None:
        ask: Callable[[], int] = self._line.directive
        while not self._over.wait(ASK_S):
            # Without a conductor this process ends with it.
            self._directive = ask() or worker.DIRECTIVE_CONTINUE
