"""Watches a job to its end, or all jobs without one: each event once, each metric point once or replaced."""

import math
from collections.abc import AsyncGenerator, Generator
from typing import Any

from tunesmith.client._generated import AsyncJobService, JobService
from tunesmith.client.watching import Following, OnBreak, follow, follow_async
from tunesmith.job.v1 import job_pb2, job_state_pb2
from tunesmith.job.v1.job_service_pb2 import WatchJobResponse, WatchJobsResponse

TERMINAL = frozenset({job_state_pb2.JOB_STATE_SUCCEEDED, job_state_pb2.JOB_STATE_FAILED, job_state_pb2.JOB_STATE_CANCELLED})
# A restart of the server, or a laptop that slept, takes less; the job itself goes on meanwhile.
GIVE_UP_S = 600.0


class WatchedJob(Following[WatchJobResponse]):
    """One job."""

    subject = "the job"

    def __init__(self, job_id: str, give_up_s: float, on_break: OnBreak | None, max_points_per_series: int = 0) -> None:
        super().__init__(give_up_s, on_break)
        self.advice = f"it may still run: `tunesmith jobs watch {job_id}` looks again"
        self._job_id = job_id
        self._max_points_per_series = max_points_per_series
        self._after_sequence = 0
        self._after_metric_cursor = 0
        self._state = job_state_pb2.JOB_STATE_UNSPECIFIED

    def next_stream(self) -> dict[str, Any]:
        """From the last event and the last points on."""
        self._state = job_state_pb2.JOB_STATE_UNSPECIFIED
        return {
            "id": self._job_id,
            "after_sequence": self._after_sequence,
            "after_metric_cursor": self._after_metric_cursor,
            # What comes after a cursor is complete.
            "max_points_per_series": 0 if self._after_metric_cursor else self._max_points_per_series,
        }

    def take(self, message: WatchJobResponse) -> None:
        """Drop events that came before."""
        self._state = message.job.state
        if message.events and message.events[0].sequence <= self._after_sequence:
            fresh = [event for event in message.events if event.sequence > self._after_sequence]
            del message.events[:]
            message.events.extend(fresh)
        if message.events:
            self._after_sequence = message.events[-1].sequence
        self._after_metric_cursor = max(self._after_metric_cursor, message.metric_cursor)

    @property
    def is_over(self) -> bool:
        """Whether the stream told how the job ended."""
        return self._state in TERMINAL


class WatchedJobs(Following[WatchJobsResponse]):
    """All jobs."""

    subject = "the jobs"
    advice = "list them, and watch from the last cursor on"
    is_over = False

    def __init__(self, after_cursor: int, give_up_s: float, on_break: OnBreak | None) -> None:
        super().__init__(give_up_s, on_break)
        self._after_cursor = after_cursor

    def next_stream(self) -> dict[str, Any]:
        """From the last change on."""
        return {"after_cursor": self._after_cursor}

    def take(self, message: WatchJobsResponse) -> None:
        """Go on behind its changes."""
        self._after_cursor = max(self._after_cursor, message.cursor)


def watch_job(
    jobs: JobService,
    job_id: str,
    *,
    max_points_per_series: int = 0,
    give_up_s: float = GIVE_UP_S,
    on_break: OnBreak | None = None,
) -> Generator[WatchJobResponse, None, None]:
    """What happens to a job until it is over.

    Raises Unavailable when nothing was heard for `give_up_s`, and what the call raises when the first stream can't begin.
    """
    return follow(WatchedJob(job_id, give_up_s, on_break, max_points_per_series), jobs.watch_job)


def watch_job_async(
    jobs: AsyncJobService,
    job_id: str,
    *,
    max_points_per_series: int = 0,
    give_up_s: float = GIVE_UP_S,
    on_break: OnBreak | None = None,
) -> AsyncGenerator[WatchJobResponse, None]:
    """`watch_job` for an event loop."""
    return follow_async(WatchedJob(job_id, give_up_s, on_break, max_points_per_series), jobs.watch_job)


def watch_jobs(
    jobs: JobService, *, after_cursor: int = 0, give_up_s: float = math.inf, on_break: OnBreak | None = None
) -> Generator[WatchJobsResponse, None, None]:
    """Jobs as they change, without end. Raises as `watch_job` does."""
    return follow(WatchedJobs(after_cursor, give_up_s, on_break), jobs.watch_jobs)


def watch_jobs_async(
    jobs: AsyncJobService, *, after_cursor: int = 0, give_up_s: float = math.inf, on_break: OnBreak | None = None
) -> AsyncGenerator[WatchJobsResponse, None]:
    """`watch_jobs` for an event loop."""
    return follow_async(WatchedJobs(after_cursor, give_up_s, on_break), jobs.watch_jobs)


def wait_for_job(jobs: JobService, job_id: str, give_up_s: float = GIVE_UP_S) -> job_pb2.Job:
    """The job as it ended."""
    job = job_pb2.Job()
    for response in watch_job(jobs, job_id, max_points_per_series=1, give_up_s=give_up_s):
        job = response.job
    return job


async def wait_for_job_async(jobs: AsyncJobService, job_id: str, give_up_s: float = GIVE_UP_S) -> job_pb2.Job:
    """The job as it ended."""
    job = job_pb2.Job()
    async for response in watch_job_async(jobs, job_id, max_points_per_series=1, give_up_s=give_up_s):
        job = response.job
    return job
