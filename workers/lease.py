"""An attempt's hold on its job: kept by heartbeats, which also bring what a person wants."""

import threading
import time
from collections.abc import Callable

import structlog
from google.rpc import code_pb2, status_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from workers.door import Door, DoorError, LeaseLost, Refused
from workers.training.sink import Stopped

# Beats come three times in the time that a lease lasts, so that two may fail.
BEATS_PER_LEASE = 3
# A beat that failed is repeated sooner: the door may be back.
FAILED_BEAT_PAUSE_S = 1.0
# A step, a download or a library that heeds nothing for so long after a cancellation ends with its process.
CANCEL_GRACE_S = 60.0

log = structlog.get_logger()


class Lease:
    """The right to work on a job, from the assignment on until it is lost or given up. May be shared by threads.

    `abandon` is called once, from any thread, when the attempt has to end at once and must write nothing more: the lease was
    lost, or a cancellation was not obeyed in time. `changed` is notified of every change.
    """

    def __init__(
        self,
        door: Door,
        pool_id: str,
        assignment: worker.Assignment,
        abandon: Callable[[str], None],
        cancel_grace_s: float = CANCEL_GRACE_S,
    ) -> None:
        self.token = assignment.lease
        self._door = door
        self._request = worker.HeartbeatRequest(pool_id=pool_id, lease=assignment.lease)
        self._interval_s = assignment.lease_seconds / BEATS_PER_LEASE
        self._abandon = abandon
        self._cancel_grace_s = cancel_grace_s
        self.changed = threading.Condition()
        self._directive: worker.Directive = worker.DIRECTIVE_CONTINUE
        self._cancelled_at_s: float | None = None
        self._lost = self._ending = self._over = False

    def start(self) -> None:
        """Begin to beat."""
        threading.Thread(target=self._beat_until_over, name="heartbeat", daemon=True).start()

    def is_lost(self) -> bool:
        """Whether the job is no longer this attempt's."""
        return self._lost

    def directive(self) -> worker.Directive:
        """What a person wants, as last heard; CANCEL once the lease is lost."""
        return worker.DIRECTIVE_CANCEL if self._lost else self._directive

    def hear(self, directive: worker.Directive) -> None:
        """Take in what an answer said. A cancellation stays: an older answer may arrive after it."""
        with self.changed:
            if directive and self._directive != worker.DIRECTIVE_CANCEL:
                self._directive = directive
            if directive == worker.DIRECTIVE_CANCEL and self._cancelled_at_s is None:
                self._cancelled_at_s = time.monotonic()
            self.changed.notify_all()

    def lose(self, reason: str) -> None:
        """The job is no longer this attempt's, or must not be."""
        with self.changed:
            known, self._lost = self._lost, True
            self.changed.notify_all()
        if not known:
            log.warning("lease_lost", job=self.token.job_id, epoch=self.token.epoch, reason=reason)
            self._abandon(reason)

    def stop_if_cancelled(self) -> None:
        """Raise Stopped if there is no use in going on."""
        if self.directive() == worker.DIRECTIVE_CANCEL:
            raise Stopped(worker.DIRECTIVE_CANCEL)

    def pause_work(self, seconds: float) -> None:
        """Wait. Raises Stopped as soon as there is no use in going on."""
        with self.changed:
            self.changed.wait_for(lambda: self.directive() == worker.DIRECTIVE_CANCEL, seconds)
        self.stop_if_cancelled()

    def pause_report(self, seconds: float) -> None:
        """Wait. Raises LeaseLost once the lease is: a cancelled job still reports."""
        with self.changed:
            self.changed.wait_for(self.is_lost, seconds)
        if self._lost:
            raise LeaseLost(status_pb2.Status(code=code_pb2.ABORTED, message="the lease was lost"))

    def end(self) -> None:
        """The outcome is on its way and ends the lease, so a beat that is told it is over proves nothing any more."""
        self._ending = True

    def give_up(self) -> None:
        """Stop beating."""
        with self.changed:
            self._over = True
            self.changed.notify_all()

    def _beat_until_over(self) -> None:
        pause_s = 0.0
        while not self._over_after(pause_s):
            pause_s = self._interval_s if self._beat() else min(FAILED_BEAT_PAUSE_S, self._interval_s)
            if self._is_overdue():
                self.lose(f"the job was cancelled and did not stop within {self._cancel_grace_s:g} s")

    def _over_after(self, seconds: float) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self._lost or self._over, seconds)

    def _beat(self) -> bool:
        try:
            self.hear(self._door.heartbeat(self._request).directive)
        except LeaseLost as lost:
            if not self._ending:
                self.lose(str(lost))
            return False
        except (DoorError, Refused) as error:
            log.warning("heartbeat_failed", job=self.token.job_id, message=str(error))
            return False
        return True

    def _is_overdue(self) -> bool:
        at = self._cancelled_at_s
        return at is not None and not self._ending and time.monotonic() - at > self._cancel_grace_s
