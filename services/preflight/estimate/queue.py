"""When a pool would take a job that is created now."""

import heapq
import statistics
from collections.abc import Iterable, Iterator, Sequence

from tunesmith.job.v1 import job_pb2, job_state_pb2
from tunesmith.pool.v1 import pool_pb2

# A pool that warms up, and a job of which nothing was predicted and nothing like it is known.
WARMING_S, UNKNOWN_JOB_S = 8.0, 600.0

_RUNNING = (job_state_pb2.JOB_STATE_RUNNING, job_state_pb2.JOB_STATE_CANCELLING)


def queue_seconds(pools: Iterable[pool_pb2.Pool], jobs: Sequence[job_pb2.Job], provider: str) -> float | None:
    """Seconds until one of the provider's pools is free and everything that waits longer was taken; None without a pool.

    Each pool runs a job on each of its GPUs, or as many as it says on its processor, and takes what has waited longest. `jobs`:
    those that wait or run, in any order.
    """
    own = [pool for pool in pools if provider in pool.providers and pool.state != pool_pb2.POOL_STATE_LOST]
    if not own:
        return None
    usual = _usual_seconds(jobs)
    running: dict[str, list[job_pb2.Job]] = {}
    for job in jobs:
        if job.state in (job_state_pb2.JOB_STATE_RUNNING, job_state_pb2.JOB_STATE_CANCELLING):
            running.setdefault(job.pool_id, []).append(job)
    free = [seconds for pool in own for seconds in _free_in(pool, running.get(pool.id, []), usual)]
    heapq.heapify(free)
    waiting = [job for job in jobs if job.state == job_state_pb2.JOB_STATE_QUEUED and job.provider == provider]
    for job in sorted(waiting, key=lambda one: one.create_time.ToNanoseconds()):
        heapq.heappush(free, heapq.heappop(free) + _expected(job, usual))
    return free[0]


def _free_in(pool: pool_pb2.Pool, running: Sequence[job_pb2.Job], usual: float) -> Iterator[float]:
    """Seconds until each of a pool's slots is free."""
    for job in running:
        known = job.HasField("estimated_remaining_seconds")
        yield job.estimated_remaining_seconds if known else _expected(job, usual) * (1 - job.progress)
    gpus = sum(device.kind == pool_pb2.DEVICE_KIND_CUDA for device in pool.devices)
    for _ in range((gpus or pool.slot_count or 1) - len(running)):
        yield WARMING_S if pool.state == pool_pb2.POOL_STATE_STARTING else 0.0


def _expected(job: job_pb2.Job, usual: float) -> float:
    """What it takes from beginning to end, less what an earlier attempt has done."""
    whole = job.predicted.duration_seconds if job.predicted.HasField("duration_seconds") else usual
    return whole * (1 - job.progress) if job.state == job_state_pb2.JOB_STATE_QUEUED else whole


def _usual_seconds(jobs: Iterable[job_pb2.Job]) -> float:
    known = [job.predicted.duration_seconds for job in jobs if job.predicted.HasField("duration_seconds")]
    return statistics.median(known) if known else UNKNOWN_JOB_S
