"""What the processes of one training tell: the first speaks for all, and what a person wants reaches each at the same step."""

from collections.abc import Sequence
from pathlib import Path

from tunesmith.job.v1 import artifact_pb2, histogram_pb2, job_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import ServiceError
from workers.distributed.processes import Processes
from workers.training.sink import Sink


class SharedSink:
    """The first process's sink, and silence for the others; `directive` is a meeting of all."""

    def __init__(self, sink: Sink, processes: Processes) -> None:
        self._sink = sink
        self._processes = processes
        self._speaks = processes.is_first

    def stage(self, message: str) -> None:
        """The job entered a stage."""
        if self._speaks:
            self._sink.stage(message)

    def warning(self, message: str) -> None:
        """Something a person should know. All processes see the same, and one says it."""
        if self._speaks:
            self._sink.warning(message)

    def progress(self, step: int, total_steps: int, epoch: float, remaining_s: float | None) -> None:
        """How far the job is."""
        if self._speaks:
            self._sink.progress(step, total_steps, epoch, remaining_s)

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """One point of each series named. Losses and tokens are of all processes, memory is the first one's."""
        if self._speaks:
            self._sink.metrics(step, values)

    def histograms(self, histograms: Sequence[histogram_pb2.WeightHistogram]) -> None:
        """How the trained weights are distributed: equal in all processes."""
        if self._speaks:
            self._sink.histograms(histograms)

    def evaluated(self, step: int, loss: float) -> None:
        """An evaluation ended."""
        if self._speaks:
            self._sink.evaluated(step, loss)

    def add_artifacts(self, kind: artifact_pb2.ArtifactKind, name: str, step: int, folder: Path) -> None:
        """Store a set; the others have nothing to store."""
        if self._speaks:
            self._sink.add_artifacts(kind, name, step, folder)

    def measured(self, figures: job_pb2.JobFigures) -> None:
        """Figures that became known."""
        if self._speaks:
            self._sink.measured(figures)

    def hung(self, error: ServiceError) -> None:
        """A process hangs. If it waits for another one, that one hangs too and says the same."""
        self._sink.hung(error)

    def directive(self) -> worker_service_pb2.Directive:
        """What a person wants, as the first process heard it last: all stop at the same step, or none."""
        heard = self._sink.directive() if self._speaks else worker_service_pb2.DIRECTIVE_UNSPECIFIED
        agreed: worker_service_pb2.Directive = self._processes.agree(heard)  # type: ignore[assignment]  # enums are numbers
        return agreed
