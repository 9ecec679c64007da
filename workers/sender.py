"""Takes what waits in the outbox to the service: in order, each report once."""

import threading
import time
from collections.abc import Callable

import structlog
from tunesmith.job.v1 import job_event_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from workers.door import Door, LeaseLost, Refused, persistently
from workers.lease import Lease
from workers.outbox import Outbox

FLUSH_INTERVAL_S = 0.25

log = structlog.get_logger()


class Sender:
    """Reports from a thread of its own: at most four a second, and at once what is urgent.

    A report is repeated under its sequence for as long as the door is away. Nothing is raised to those who say something.
    """

    def __init__(self, door: Door, lease: Lease) -> None:
        self._door = door
        self._lease = lease
        self._changed = lease.changed
        self._outbox = Outbox()
        self._sequence = 0
        self._urgent = self._sending = self._closed = self._refused_last = False

    def start(self) -> None:
        """Begin to send."""
        threading.Thread(target=self._send_until_closed, name="report", daemon=True).start()

    def say(self, put: Callable[[Outbox], None], *, urgent: bool = False) -> None:
        """Put something into the outbox."""
        with self._changed:
            put(self._outbox)
            self._urgent = self._urgent or urgent
            self._changed.notify_all()

    def flush(self, patience_s: float | None = None) -> None:
        """Wait until everything that was said is acknowledged, the lease is lost, or patience is."""
        with self._changed:
            self._urgent = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._lease.is_lost() or (self._outbox.is_empty() and not self._sending), patience_s)

    def close(self, outcome: worker.Outcome) -> worker.Outcome:
        """Say all that is left, then how the attempt ended; returns the outcome that the service took.

        Waits as long as the door is away: until it is back, nobody can say that the lease is over. Raises LeaseLost or Refused.
        """
        self.flush()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        try:
            self._deliver(worker.ReportRequest(outcome=outcome))
        except Refused as refused:
            # The service may insist that the result is incomplete, for one; then that is how the attempt ended.
            log.error("outcome_refused", job=self._lease.token.job_id, message=refused.message)
            outcome = worker.Outcome(failed=refused.status())
            self._deliver(worker.ReportRequest(outcome=outcome))
        return outcome

    def _send_until_closed(self) -> None:
        sent_s = -FLUSH_INTERVAL_S
        while (request := self._next_report(sent_s)) is not None:
            sent_s = time.monotonic()
            try:
                self._deliver(request)
            except LeaseLost as lost:
                self._lease.lose(str(lost))
            except Refused as refused:
                self._drop(request, refused)
            with self._changed:
                self._sending = False
                self._changed.notify_all()

    def _next_report(self, sent_s: float) -> worker.ReportRequest | None:
        """The next report, once it is time for it; None when there will be no other."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over() or not self._outbox.is_empty())
            due_in_s = max(0.0, sent_s + FLUSH_INTERVAL_S - time.monotonic())
            self._changed.wait_for(lambda: self._is_over() or self._urgent, due_in_s)
            if self._is_over():
                return None
            self._urgent = False
            self._sending = True
            return self._outbox.cut()

    def _is_over(self) -> bool:
        return self._closed or self._lease.is_lost()

    def _deliver(self, request: worker.ReportRequest) -> None:
        # A lost lease is known before the service has to refuse.
        self._lease.pause_report(0)
        request.lease.CopyFrom(self._lease.token)
        request.sequence = self._sequence + 1
        response = persistently(lambda: self._door.report(request), self._lease.pause_report)
        self._sequence = request.sequence
        self._refused_last = False
        self._lease.hear(response.directive)

    def _drop(self, request: worker.ReportRequest, refused: Refused) -> None:
        """A report that will never be taken must not hold up those behind it. Its sequence was not used up."""
        job_id = self._lease.token.job_id
        log.error("report_refused", job=job_id, sequence=request.sequence, message=refused.message)
        if not self._refused_last:
            text = f"The service refused a report of this job, so some of its metrics or events are missing: {refused.message}"
            self.say(lambda outbox: outbox.add_event(job_event_pb2.JOB_EVENT_TYPE_WARNING, text))
        self._refused_last = True
