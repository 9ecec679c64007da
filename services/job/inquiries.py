"""Questions on their way to pools, and answers on their way back. In memory: who asks waits, and asks again after a restart.

A pool answers one at a time. It waits in `take`; one that asks for the next without having answered has lost the last, which is
given out once more. Pools are known by their waiting and answering here, not by their registration.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from google.rpc import code_pb2, status_pb2
from tunesmith.worker.v1 import inquiry_pb2

from services.chassis.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, ResourceExhausted, Unavailable
from services.chassis.ids import new_id

MAX_QUEUED = 64
# A pool that is between two calls, or that is being started again.
SILENT_S = 10.0
# A pool that has taken an inquiry is heard of when it has answered it.
ANSWERING_S = 120.0
MAX_TRIES = 2


@dataclass(eq=False)
class _Pending:
    inquiry: inquiry_pb2.Inquiry
    key: bytes
    answered: asyncio.Future[inquiry_pb2.InquiryAnswer]
    waiters: int = 0
    tries: int = 0


@dataclass
class _Pool:
    seen_s: float
    # Calls of `take` that wait now, and how many there were: after a broken connection only the latest one is heard.
    waiting: int = 0
    calls: int = 0
    # What it has taken and not answered.
    taken: _Pending | None = field(default=None)


class Inquiries:
    """Passes inquiries on. For one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._queue: deque[_Pending] = deque()
        # By their question, so that what is asked twice at the same time is answered once.
        self._pending: dict[bytes, _Pending] = {}
        self._pools: dict[str, _Pool] = {}
        self._changed = asyncio.Condition()
        self._stopping = False

    async def ask(self, inquiry: inquiry_pb2.Inquiry, timeout_s: float) -> inquiry_pb2.InquiryAnswer:
        """A pool's answer, which may be that there is none.

        Raises FailedPrecondition, reason NO_POOL; DeadlineExceeded, reason NO_ANSWER; ResourceExhausted, reason
        TOO_MANY_INQUIRIES; and Unavailable when the service stops.
        """
        pending = self._join(inquiry)
        pending.waiters += 1
        try:
            async with self._changed:
                self._changed.notify_all()
            # Shielded: another one may wait for the same answer.
            answer = await asyncio.wait_for(asyncio.shield(pending.answered), timeout_s)
        except TimeoutError as error:
            text = f"no pool answered within {timeout_s:g} s; ask again, or go on without the answer"
            raise DeadlineExceeded("NO_ANSWER", text) from error
        finally:
            pending.waiters -= 1
            if not pending.waiters:
                self._forget(pending)
        return answer

    async def take(self, pool_id: str, wait_s: float) -> inquiry_pb2.Inquiry | None:
        """The inquiry that has waited longest, for a pool to answer; None if there was none for so long."""
        pool = self._pools.setdefault(pool_id, _Pool(self._clock()))
        self._give_out_again(pool)
        pool.waiting += 1
        pool.calls += 1
        call = pool.calls
        try:
            async with self._changed:
                self._changed.notify_all()
                try:
                    await asyncio.wait_for(
                        self._changed.wait_for(lambda: self._queue or self._stopping or call != pool.calls), wait_s
                    )
                except TimeoutError:
                    return None
                if not self._queue or call != pool.calls:
                    return None
                pending = self._queue.popleft()
                pending.tries += 1
                pool.taken = pending
                return pending.inquiry
        finally:
            pool.waiting -= 1
            pool.seen_s = self._clock()

    def answer(self, pool_id: str, answer: inquiry_pb2.InquiryAnswer) -> None:
        """Hand a pool's answer to those who wait for it, if there are any left."""
        pool = self._pools.get(pool_id)
        if pool is None or pool.taken is None or pool.taken.inquiry.id != answer.inquiry_id:
            return
        pending, pool.taken, pool.seen_s = pool.taken, None, self._clock()
        if not pending.answered.done():
            pending.answered.set_result(answer)
        self._forget(pending)

    async def stop(self) -> None:
        """Let everyone go who waits."""
        self._stopping = True
        for pending in list(self._pending.values()):
            if not pending.answered.done():
                pending.answered.set_exception(Unavailable("STOPPING", "the service stops; ask again in a moment"))
                # Who asked may be gone.
                pending.answered.exception()
        async with self._changed:
            self._changed.notify_all()

    def _join(self, inquiry: inquiry_pb2.Inquiry) -> _Pending:
        if inquiry.WhichOneof("question") is None:
            raise InvalidArgument([("inquiry", "it asks nothing; set profile or trace")])
        question = inquiry_pb2.Inquiry()
        question.CopyFrom(inquiry)
        question.id = ""
        key = question.SerializeToString(deterministic=True)
        pending = self._pending.get(key)
        if pending is not None:
            return pending
        self._need_a_pool()
        if len(self._queue) >= MAX_QUEUED:
            text = f"{MAX_QUEUED} inquiries wait already; ask again in a moment"
            raise ResourceExhausted("TOO_MANY_INQUIRIES", text)
        question.id = new_id()
        pending = _Pending(question, key, asyncio.get_running_loop().create_future())
        self._pending[key] = pending
        self._queue.append(pending)
        return pending

    def _need_a_pool(self) -> None:
        now = self._clock()
        gone = [
            pool_id
            for pool_id, pool in self._pools.items()
            if not pool.waiting and now - pool.seen_s > (SILENT_S if pool.taken is None else ANSWERING_S)
        ]
        for pool_id in gone:
            del self._pools[pool_id]
        if not self._pools:
            raise FailedPrecondition("NO_POOL", "no pool is connected that could answer; start one, or go on without the answer")

    def _give_out_again(self, pool: _Pool) -> None:
        pending, pool.taken = pool.taken, None
        if pending is None or pending.answered.done() or pending.key not in self._pending:
            return
        if pending.tries < MAX_TRIES:
            self._queue.appendleft(pending)
            return
        text = f"{pending.tries} attempts to answer ended without one; look at the pool's log"
        error = status_pb2.Status(code=code_pb2.UNAVAILABLE, message=text)
        pending.answered.set_result(inquiry_pb2.InquiryAnswer(inquiry_id=pending.inquiry.id, error=error))

    def _forget(self, pending: _Pending) -> None:
        """Nobody waits for it any more, or it is answered."""
        if self._pending.get(pending.key) is pending:
            del self._pending[pending.key]
        if pending in self._queue:
            self._queue.remove(pending)
