"""The agent's second loop: asks the services for inquiries and has the estimator answer them, whatever the lease loop does.

The estimator's process starts with the first inquiry and ends when none came for a while. One that dies is answered for with an
error, and the next inquiry starts another.
"""

import threading
import time
from collections.abc import Callable

import structlog
from google.rpc import code_pb2, status_pb2
from tunesmith.worker.v1 import inquiry_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from workers.crew import ActorLost, ClusterLost, Crew, Estimator
from workers.door import Door, DoorError, Refused, backoff_s

TAKE_WAIT_S = 25.0
# Loading torch on a busy machine takes half a minute; an answer itself a second or two.
LONGEST_ANSWER_S = 90.0
IDLE_S = 600.0
LOOK_S = 0.5
# Services that know no inquiries will not learn it soon.
AFTER_REFUSAL_S = 30.0
ANSWER_TRIES = 3

log = structlog.get_logger()


class _Stopping(Exception):
    """Somebody told the agent to stop."""


class Inquiries:
    """Answers for one pool, until `stop` is set."""

    def __init__(
        self, door: Door, crew: Crew, pool_id: str, stop: threading.Event, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._door = door
        self._crew = crew
        self._pool_id = pool_id
        self._stop = stop
        self._clock = clock
        self._estimator: Estimator | None = None
        self._used_s = 0.0

    def run(self) -> None:
        """Take and answer until told to stop, or until there is no cluster any more: the lease loop tells of that."""
        try:
            while True:
                try:
                    self._serve()
                except (_Stopping, ClusterLost):
                    return
                except Exception:
                    # Nothing that goes wrong here is worth the agent.
                    log.exception("inquiries_failed")
                    self._dismiss()
                    self._pause(AFTER_REFUSAL_S)
        except _Stopping:
            return
        finally:
            self._dismiss()

    def _serve(self) -> None:
        failures = 0
        while True:
            try:
                inquiry = self._take()
            except (DoorError, Refused) as error:
                failures += 1
                log.debug("take_inquiry_failed", message=str(error))
                self._pause(AFTER_REFUSAL_S if isinstance(error, Refused) else backoff_s(failures))
                continue
            failures = 0
            if inquiry is not None:
                self._give(self._answer(inquiry))

    def _take(self) -> inquiry_pb2.Inquiry | None:
        request = worker.TakeInquiryRequest(pool_id=self._pool_id, wait_seconds=TAKE_WAIT_S)
        response = self._door.take_inquiry(request, self._look)
        return response.inquiry if response.HasField("inquiry") else None

    def _answer(self, inquiry: inquiry_pb2.Inquiry) -> inquiry_pb2.InquiryAnswer:
        began = self._clock()
        try:
            answer = self._ask(inquiry) if self._estimator is None else self._ask_again_of_another(inquiry)
        except ActorLost as lost:
            self._dismiss()
            log.warning("estimator_lost", reason=str(lost))
            text = f"the pool's estimator is gone ({lost}); the next inquiry starts another"
            answer = inquiry_pb2.InquiryAnswer(error=status_pb2.Status(code=code_pb2.UNAVAILABLE, message=text))
        answer.inquiry_id = inquiry.id
        self._used_s = self._clock()
        log.info("inquiry_answered", kind=answer.WhichOneof("kind"), seconds=round(self._used_s - began, 2))
        return answer

    def _ask_again_of_another(self, inquiry: inquiry_pb2.Inquiry) -> inquiry_pb2.InquiryAnswer:
        """Ask an estimator that has stood idle, and a new one if it turns out to be gone: it may have been for a while."""
        try:
            return self._ask(inquiry)
        except ActorLost as lost:
            log.warning("estimator_replaced", reason=str(lost))
            self._dismiss()
            return self._ask(inquiry)

    def _ask(self, inquiry: inquiry_pb2.Inquiry) -> inquiry_pb2.InquiryAnswer:
        if self._estimator is None:
            self._estimator = self._crew.hire_estimator()
        self._estimator.start(inquiry.SerializeToString())
        end_s = self._clock() + LONGEST_ANSWER_S
        while (answer := self._estimator.wait_answer(LOOK_S)) is None:
            self._stop_if_told()
            if self._clock() > end_s:
                raise ActorLost(f"it had no answer after {LONGEST_ANSWER_S:g} s")
        return inquiry_pb2.InquiryAnswer.FromString(answer)

    def _give(self, answer: inquiry_pb2.InquiryAnswer) -> None:
        """Deliver an answer; one that can't be delivered is asked for again."""
        request = worker.AnswerInquiryRequest(pool_id=self._pool_id, answer=answer)
        for tries in range(1, ANSWER_TRIES + 1):
            try:
                self._door.answer_inquiry(request)
                return
            except Refused as refused:
                log.error("answer_refused", message=refused.message)
                return
            except DoorError:
                self._pause(backoff_s(tries))

    def _look(self) -> None:
        """While nothing is asked: end with the agent, and let an estimator go that nobody needs."""
        self._stop_if_told()
        if self._estimator is not None and self._clock() - self._used_s >= IDLE_S:
            log.info("estimator_idle")
            self._dismiss()

    def _dismiss(self) -> None:
        if self._estimator is not None:
            estimator, self._estimator = self._estimator, None
            estimator.dismiss()

    def _stop_if_told(self) -> None:
        if self._stop.is_set():
            raise _Stopping

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _Stopping
