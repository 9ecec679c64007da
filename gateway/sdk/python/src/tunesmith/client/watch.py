"""Follows a job to its end, over as many streams as it takes: each event once, each metric point once or replaced."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Generator

import grpc
from tunesmith.client._generated import AsyncJobService, JobService
from tunesmith.client.errors import TunesmithError, Unavailable
from tunesmith.job.v1 import job_pb2, job_state_pb2
from tunesmith.job.v1.job_service_pb2 import WatchJobResponse

TERMINAL = frozenset({job_state_pb2.JOB_STATE_SUCCEEDED, job_state_pb2.JOB_STATE_FAILED, job_state_pb2.JOB_STATE_CANCELLED})
# A restart of the server, or a laptop that slept, takes less; the job itself goes on meanwhile.
GIVE_UP_S = 600.0
FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0
# How a stream breaks, as against a call that the server refuses.
_BROKEN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)

# Told True when the stream broke, False when it came back.
OnBreak = Callable[[bool], None]


class Following:
    """How far a watch is: what to ask for next, how long to wait before, and when to give up."""

    def __init__(self, job_id: str, give_up_s: float, on_break: OnBreak | None) -> None:
        self.job_id = job_id
        self.after_sequence = 0
        self.after_metric_cursor = 0
        self._state = job_state_pb2.JOB_STATE_UNSPECIFIED
        self._give_up_s = give_up_s
        self._on_break = on_break
        self._last_heard: float | None = None
        self._delay = FIRST_DELAY_S

    def begin(self) -> None:
        """A stream is about to be opened."""
        self._state = job_state_pb2.JOB_STATE_UNSPECIFIED

    def heard(self, response: WatchJobResponse) -> WatchJobResponse:
        """A message as its reader gets it: without events that came before."""
        if self._last_heard is not None and self._delay > FIRST_DELAY_S:
            self._tell(False)
        self._last_heard, self._delay, self._state = time.monotonic(), FIRST_DELAY_S, response.job.state
        if response.events and response.events[0].sequence <= self.after_sequence:
            fresh = [event for event in response.events if event.sequence > self.after_sequence]
            del response.events[:]
            response.events.extend(fresh)
        if response.events:
            self.after_sequence = response.events[-1].sequence
        self.after_metric_cursor = max(self.after_metric_cursor, response.metric_cursor)
        return response

    @property
    def is_over(self) -> bool:
        """Whether the stream that ended has told how the job ended."""
        return self._state in TERMINAL

    def broke(self, error: TunesmithError | None = None) -> float:
        """Seconds to wait before the next stream. Raises the error if no stream does better, Unavailable after long silence."""
        if error is not None and (self._last_heard is None or error.code not in _BROKEN):
            raise error
        if self._last_heard is not None and time.monotonic() - self._last_heard > self._give_up_s:
            raise Unavailable(
                f"nothing heard of the job for {self._give_up_s:.0f} s; it may still run: "
                f"`tunesmith jobs watch {self.job_id}` looks again"
            )
        if self._delay == FIRST_DELAY_S:
            self._tell(True)
        delay, self._delay = self._delay, min(LONGEST_DELAY_S, self._delay * 2)
        # A server that comes back is not met by all its watchers at once.
        return delay * random.uniform(0.5, 1.0)  # noqa: S311

    def _tell(self, broken: bool) -> None:
        if self._on_break is not None:
            self._on_break(broken)


def watch_job(
    jobs: JobService, job_id: str, *, give_up_s: float = GIVE_UP_S, on_break: OnBreak | None = None
) -> Generator[WatchJobResponse, None, None]:
    """What happens to a job until it is over.

    Raises Unavailable when nothing was heard for `give_up_s`, and what the call raises when the first stream can't begin.
    """
    following = Following(job_id, give_up_s, on_break)
    while True:
        broke_by = None
        following.begin()
        try:
            with jobs.watch_job(
                id=job_id, after_sequence=following.after_sequence, after_metric_cursor=following.after_metric_cursor
            ) as stream:
                for response in stream:
                    yield following.heard(response)
            if following.is_over:
                return
        except TunesmithError as error:
            broke_by = error
        time.sleep(following.broke(broke_by))


async def watch_job_async(
    jobs: AsyncJobService, job_id: str, *, give_up_s: float = GIVE_UP_S, on_break: OnBreak | None = None
) -> AsyncGenerator[WatchJobResponse, None]:
    """`watch_job` for an event loop."""
    following = Following(job_id, give_up_s, on_break)
    while True:
        broke_by = None
        following.begin()
        try:
            async with jobs.watch_job(
                id=job_id, after_sequence=following.after_sequence, after_metric_cursor=following.after_metric_cursor
            ) as stream:
                async for response in stream:
                    yield following.heard(response)
            if following.is_over:
                return
        except TunesmithError as error:
            broke_by = error
        await asyncio.sleep(following.broke(broke_by))


def wait_for_job(jobs: JobService, job_id: str, give_up_s: float = GIVE_UP_S) -> job_pb2.Job:
    """The job as it ended."""
    job = job_pb2.Job()
    for response in watch_job(jobs, job_id, give_up_s=give_up_s):
        job = response.job
    return job


async def wait_for_job_async(jobs: AsyncJobService, job_id: str, give_up_s: float = GIVE_UP_S) -> job_pb2.Job:
    """The job as it ended."""
    job = job_pb2.Job()
    async for response in watch_job_async(jobs, job_id, give_up_s=give_up_s):
        job = response.job
    return job
