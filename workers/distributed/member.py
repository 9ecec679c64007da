"""One of the processes that train together, from its assignment to what it says at its end. The process group is there."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import structlog
import torch
from torch.distributed import DistError
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.logging import configure_logging
from workers.cache import Cache
from workers.distributed.attempt import FirstFailed
from workers.distributed.process import run
from workers.distributed.task import Task
from workers.distributed.voice import Line, Voice
from workers.door import Door
from workers.inputs import Fetcher
from workers.training.failures import status_of
from workers.training.sink import Stopped, obey

# How gloo and NCCL say that another process is gone.
_PEER_PHRASES = ("connection closed by peer", "connection reset by peer", "gloo", "nccl", "socket timeout", "broken pipe")

log = structlog.get_logger()


def train(task: Task, rank: int, line: Line) -> None:
    """Train as process `rank`, and tell how it ended. Raises what it could not go on from, for whoever waits for all."""
    configure_logging("actor", task.log_level)
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    assignment = worker.Assignment.FromString(task.assignment)
    folder = Path(task.work_folder) / f"process-{rank}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Where a library's stray file does no harm.
    os.chdir(folder)
    door = Door(task.address, clock=monotonic)
    voice = Voice(line, rank, door, assignment.lease)
    log.info("process_started", job=assignment.lease.job_id, rank=rank)
    try:
        if rank == 0:
            voice.stage("Fetching the inputs")
        cache = Cache(Path(task.cache_folder), task.cache_max_bytes)
        warn = voice.warning if rank == 0 else (lambda message: log.warning("input_warning", message=message))
        fetcher = Fetcher(door, assignment.lease, cache, lambda: obey(voice), voice.pause, warn)
        inputs = replace(
            fetcher.fetch(assignment, folder),
            training_state_seconds=task.training_state_seconds,
            tokenised_folder=cache.tokenised,
        )
        run(assignment, inputs, voice)
    except Stopped as stopped:
        voice.close(_stopped(stopped))
    except BaseException as error:
        log.exception("process_failed", job=assignment.lease.job_id, rank=rank)
        voice.close(None if is_of_another(error) else worker.Outcome(failed=status_of(error)))
        # Ray Train would pickle the error, and what it may hold does not pickle.
        raise RuntimeError(f"{type(error).__name__}: {error}") from None
    else:
        voice.close(worker.Outcome(succeeded=worker.Succeeded()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_of_another(error: BaseException) -> bool:
    """Whether an error only says that another process is gone."""
    return any(
        isinstance(cause, DistError | FirstFailed)
        or (isinstance(cause, RuntimeError) and any(phrase in str(cause).lower() for phrase in _PEER_PHRASES))
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _stopped(stopped: Stopped) -> worker.Outcome:
    if stopped.directive == worker.DIRECTIVE_PAUSE:
        return worker.Outcome(paused=worker.Paused())
    return worker.Outcome(cancelled=worker.Cancelled())
