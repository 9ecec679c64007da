"""Leads the attempt of several processes: keeps its lease, says what the first of them tells, and how it ended.

It holds no Ray code, so a test can run it as it is.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from google.rpc import status_pb2
from tunesmith.job.v1 import histogram_pb2, job_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.errors import ServiceError
from services.chassis.logging import configure_logging
from workers.door import Door
from workers.report import Reporter

ABANDONED_EXIT_CODE = 75
# The first process has said how it ended. Others that wait for it in vain are not waited for.
LINGER_S = 10.0
LOOK_S = 0.2

log = structlog.get_logger()


class ProcessesLost(Exception):
    """A process is gone, and the training with it; the message says why. The job may be tried again."""


class Told(ServiceError):
    """An error that a process told of."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self._status = status

    def status(self) -> status_pb2.Status:
        return self._status


class Conductor:
    """Runs one attempt. `train` has the processes train, and raises ProcessesLost; what they tell comes by `hear` and `ended`.

    Its methods but `run` are called from other threads.
    """

    def __init__(
        self,
        address: str,
        pool_id: str,
        log_level: str,
        train: Callable[[], None],
        work_folder: Path,
        exit_process: Callable[[int], None] = os._exit,
    ) -> None:
        configure_logging("conductor", log_level)
        self._door = Door(address, clock=time.monotonic)
        self._pool_id = pool_id
        self._train = train
        self._work_folder = work_folder
        self._exit_process = exit_process
        self._reporter: Reporter | None = None
        self._changed = threading.Condition()
        # What the first process said, and the first failure of any that was not another one's.
        self._outcome: worker.Outcome | None = None
        self._outcome_s = 0.0
        self._failure: worker.Outcome | None = None

    def run(self, assignment_bytes: bytes) -> bytes:
        """Run an attempt to its end; returns the outcome that the service took.

        Raises ProcessesLost. Does not return if the lease is lost.
        """
        assignment = worker.Assignment.FromString(assignment_bytes)
        job_id = assignment.lease.job_id

        def abandon(reason: str) -> None:
            log.warning("attempt_abandoned", job=job_id, reason=reason)
            shutil.rmtree(self._work_folder, ignore_errors=True)
            self._exit_process(ABANDONED_EXIT_CODE)

        reporter = self._reporter = Reporter(self._door, self._pool_id, assignment, abandon)
        reporter.start()
        log.info("attempt_started", job=job_id, attempt=assignment.attempt)
        try:
            outcome = self._outcome_of_all()
        except ProcessesLost:
            reporter.lease.give_up()
            raise
        finally:
            shutil.rmtree(self._work_folder, ignore_errors=True)
        outcome = reporter.close(outcome)
        log.info("attempt_ended", job=job_id, outcome=outcome.WhichOneof("kind"))
        return outcome.SerializeToString()

    def hear(self, what: str, *arguments: Any) -> None:
        """Something a process tells, in the order in which it tells it."""
        reporter = self._reporter
        if reporter is None:
            return
        if what == "measured":
            reporter.measured(job_pb2.JobFigures.FromString(arguments[0]))
        elif what == "histograms":
            reporter.histograms([histogram_pb2.WeightHistogram.FromString(one) for one in arguments[0]])
        elif what == "hung":
            reporter.hung(Told(status_pb2.Status.FromString(arguments[0])))
        elif what == "lost":
            reporter.lease.lose(arguments[0])
        else:
            said: dict[str, Callable[..., None]] = {
                "stage": reporter.stage,
                "warning": reporter.warning,
                "progress": reporter.progress,
                "metrics": reporter.metrics,
                "evaluated": reporter.evaluated,
            }
            said[what](*arguments)

    def flush(self) -> None:
        """Wait until everything that was heard is acknowledged."""
        if self._reporter is not None:
            self._reporter.flush()

    def directive(self) -> int:
        """What a person wants."""
        return worker.DIRECTIVE_UNSPECIFIED if self._reporter is None else self._reporter.directive()

    def ended(self, rank: int, outcome_bytes: bytes) -> None:
        """How a process ended. That another one was lost is no outcome: it is not told here."""
        outcome = worker.Outcome.FromString(outcome_bytes)
        with self._changed:
            if outcome.HasField("failed"):
                self._failure = self._failure or outcome
            elif rank == 0:
                self._outcome, self._outcome_s = outcome, time.monotonic()
            self._changed.notify_all()

    def _outcome_of_all(self) -> worker.Outcome:
        ends: list[ProcessesLost | None] = []
        threading.Thread(target=self._run, args=(ends,), name="train", daemon=True).start()
        with self._changed:
            while not ends and not self._has_lingered():
                self._changed.wait(LOOK_S)
            lost = ends[0] if ends else None
            # What the first process stored, it stored; and a failure that a process could explain says more than the silence of
            # those that were ended for it.
            outcome = self._outcome or self._failure
        if outcome is not None:
            return outcome
        raise lost or ProcessesLost("the processes ended and said nothing")

    def _run(self, ends: list[ProcessesLost | None]) -> None:
        end: ProcessesLost | None = None
        try:
            self._train()
        except ProcessesLost as lost:
            end = lost
        except Exception as error:
            log.exception("training_failed")
            end = ProcessesLost(f"the processes could not be started: {type(error).__name__}: {error}")
        with self._changed:
            ends.append(end)
            self._changed.notify_all()

    def _has_lingered(self) -> bool:
        return self._outcome is not None and time.monotonic() - self._outcome_s > LINGER_S
