"""Where a recipe says what happens, and hears whether to go on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tunesmith.job.v1 import artifact_pb2, histogram_pb2, job_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import ServiceError


class Sink(Protocol):
    """What a running job tells. Only `add_artifacts` may block, and only it may raise."""

    def stage(self, message: str) -> None:
        """The job entered a stage."""

    def warning(self, message: str) -> None:
        """Something a person should know, though the job goes on."""

    def progress(self, step: int, total_steps: int, epoch: float, remaining_s: float | None) -> None:
        """How far the job is; `remaining_s` is None while it is not known."""

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """One point of each series named, `eval_loss` among them."""

    def histograms(self, histograms: Sequence[histogram_pb2.WeightHistogram]) -> None:
        """How the trained weights are distributed, a histogram for each layer."""

    def evaluated(self, step: int, loss: float) -> None:
        """An evaluation ended. Its loss came as a metric before."""

    def add_artifacts(self, kind: artifact_pb2.ArtifactKind, name: str, step: int, folder: Path) -> None:
        """Store all files below a folder as one set; returns when they are stored, after which the folder is removed."""

    def measured(self, figures: job_pb2.JobFigures) -> None:
        """Figures that became known; the others stay as they are."""

    def hung(self, error: ServiceError) -> None:
        """The attempt hangs, for this reason: say so and end its process, for another attempt. Called from another thread.

        Returns only where there is no process to end.
        """

    def directive(self) -> worker_service_pb2.Directive:
        """What a person wants, as last heard. Asked after every batch, so it has to answer at once."""


class Nobody:
    """A sink that nobody listens to: what it is told is forgotten, and the run goes on."""

    def stage(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def progress(self, step: int, total_steps: int, epoch: float, remaining_s: float | None) -> None: ...
    def metrics(self, step: int, values: dict[str, float]) -> None: ...
    def histograms(self, histograms: Sequence[histogram_pb2.WeightHistogram]) -> None: ...
    def evaluated(self, step: int, loss: float) -> None: ...
    def add_artifacts(self, kind: artifact_pb2.ArtifactKind, name: str, step: int, folder: Path) -> None: ...
    def measured(self, figures: job_pb2.JobFigures) -> None: ...
    def hung(self, error: ServiceError) -> None: ...

    def directive(self) -> worker_service_pb2.Directive:
        """To go on."""
        return worker_service_pb2.DIRECTIVE_CONTINUE


class Stopped(Exception):
    """The recipe stopped because it was told to: CANCEL stored nothing, PAUSE where training stood if a step was done."""

    def __init__(self, directive: worker_service_pb2.Directive) -> None:
        super().__init__(directive)
        self.directive = directive


def obey(sink: Sink) -> None:
    """Stop between stages, where nothing is trained yet that a pause could save."""
    directive = sink.directive()
    if directive in (worker_service_pb2.DIRECTIVE_CANCEL, worker_service_pb2.DIRECTIVE_PAUSE):
        raise Stopped(directive)
