"""What a recipe tells and hears: status back, which never disturbs the training."""

from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from tunesmith.job.v1 import artifact_pb2, histogram_pb2, job_event_pb2, job_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.errors import ServiceError
from workers.door import Door, DoorError, LeaseLost, Refused
from workers.lease import Lease
from workers.sender import Sender
from workers.training.sink import Stopped
from workers.upload import store

# An attempt that hangs has lost enough time: its last words don't wait longer for a door that is away.
LAST_WORDS_S = 15.0

log = structlog.get_logger()


class Reporter:
    """The sink of one attempt: what is said is kept and sent in order; `add_artifacts` alone blocks and raises.

    `abandon` is the lease's: it ends the attempt at once.
    """

    def __init__(self, door: Door, pool_id: str, assignment: worker.Assignment, abandon: Callable[[str], None]) -> None:
        self.lease = Lease(door, pool_id, assignment, abandon)
        self._door = door
        self._sender = Sender(door, self.lease)
        self._first_progress = self._first_metrics = True

    def start(self) -> None:
        """Begin to send, and to keep the lease."""
        self._sender.start()
        self.lease.start()

    def stage(self, message: str) -> None:
        """The job entered a stage."""
        self._say_event(job_event_pb2.JOB_EVENT_TYPE_STAGE, message)

    def warning(self, message: str) -> None:
        """Something a person should know, though the job goes on."""
        self._say_event(job_event_pb2.JOB_EVENT_TYPE_WARNING, message)

    def evaluated(self, step: int, loss: float) -> None:
        """An evaluation ended."""
        message = f"Evaluated at step {step}: loss {loss:.4g}."
        self._say_event(job_event_pb2.JOB_EVENT_TYPE_EVALUATED, message, {"step": step, "eval_loss": loss})

    def progress(self, step: int, total_steps: int, epoch: float, remaining_s: float | None) -> None:
        """How far the job is; the first step is told at once."""
        progress = worker.Progress(step=step, total_steps=total_steps, epoch=epoch, estimated_remaining_seconds=remaining_s)
        self._sender.say(lambda outbox: outbox.set_progress(progress), urgent=self._first_progress and step > 0)
        self._first_progress = self._first_progress and step == 0

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """One point of each series named; those of the first step are told at once."""
        self._sender.say(lambda outbox: outbox.add_points(step, values), urgent=self._first_metrics and step > 0)
        self._first_metrics = self._first_metrics and step == 0

    def histograms(self, histograms: Sequence[histogram_pb2.WeightHistogram]) -> None:
        """How the trained weights are distributed."""
        self._sender.say(lambda outbox: outbox.add_histograms(histograms))

    def measured(self, figures: job_pb2.JobFigures) -> None:
        """Figures that became known."""
        self._sender.say(lambda outbox: outbox.add_figures(figures))

    def hung(self, error: ServiceError) -> None:
        """Give the job back for another attempt, with the reason, and abandon this one: its thread obeys nobody any more.

        If the door is away, the job comes back when the agent sees that its actor has died, without the reason.
        """
        self.warning(f"The attempt is given up: {error.message}.")
        self._sender.flush(LAST_WORDS_S)
        status = error.status()
        request = worker.ReleaseLeaseRequest(lease=self.lease.token, reason=status.message, error=status)
        try:
            self._door.release_lease(request)
        except (DoorError, Refused) as failure:
            log.warning("release_failed", job=self.lease.token.job_id, message=str(failure))
        self.lease.lose(status.message)

    def flush(self) -> None:
        """Wait until everything that was said is acknowledged, or the lease is lost."""
        self._sender.flush()

    def directive(self) -> worker.Directive:
        """What a person wants, as last heard; CANCEL once the lease is lost."""
        return self.lease.directive()

    def add_artifacts(self, kind: artifact_pb2.ArtifactKind, name: str, step: int, folder: Path) -> None:
        """Store a folder's files as one set, after everything that was said before.

        Raises Stopped when there is no use in going on, and Refused when the service will not store them.
        """
        self._sender.flush()
        self.lease.stop_if_cancelled()
        header = worker.ArtifactSetHeader(lease=self.lease.token, kind=kind, name=name, step=step)
        try:
            store(self._door, header, folder, self.lease.pause_work)
        except LeaseLost as lost:
            self.lease.lose(str(lost))
            raise Stopped(worker.DIRECTIVE_CANCEL) from lost
        log.info("artifacts_stored", job=self.lease.token.job_id, set=name, step=step)

    def close(self, outcome: worker.Outcome) -> worker.Outcome:
        """Say all that is left and how the attempt ended; returns the outcome that the service took.

        Raises LeaseLost, or Refused if the service takes no outcome at all.
        """
        self.lease.end()
        try:
            return self._sender.close(outcome)
        except LeaseLost as lost:
            self.lease.lose(str(lost))
            raise
        finally:
            self.lease.give_up()

    def _say_event(self, kind: job_event_pb2.JobEventType, message: str, detail: dict[str, float] | None = None) -> None:
        self._sender.say(lambda outbox: outbox.add_event(kind, message, detail), urgent=True)
