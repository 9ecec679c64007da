"""A conductor with Ray Train behind it, as its actor runs it."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray

from workers.distributed.conductor import Conductor, ProcessesLost
from workers.distributed.task import Task


class Conducting:
    """Leads the attempts of processes that Ray Train starts, one attempt at a time."""

    def __init__(
        self,
        address: str,
        pool_id: str,
        log_level: str,
        *,
        work_folder: str,
        cache_folder: str,
        cache_max_bytes: int,
        training_state_seconds: float,
        threads: int | None,
        team: dict[str, Any],
    ) -> None:
        self._folder = Path(work_folder)
        self._team = team
        self._task = Task(
            assignment=b"",
            address=address,
            log_level=log_level,
            cache_folder=cache_folder,
            cache_max_bytes=cache_max_bytes,
            work_folder=work_folder,
            training_state_seconds=training_state_seconds,
            threads=threads,
        )
        self._assignment = b""
        self.conductor = Conductor(address, pool_id, log_level, self._train, self._folder)

    def run(self, assignment_bytes: bytes) -> tuple[bytes, str]:
        """Run an attempt to its end; returns the outcome that the service took, or why the processes are lost."""
        # What an actor that died left behind.
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._assignment = assignment_bytes
        try:
            return self.conductor.run(assignment_bytes), ""
        except ProcessesLost as lost:
            return b"", str(lost)

    def _train(self) -> None:
        # It loads torch, and the lease has to be kept meanwhile.
        from workers.distributed.ray_train import Team, train_together

        handle = ray.get_runtime_context().current_actor
        task = asdict(self._task) | {"assignment": self._assignment}
        train_together(task, Team(**self._team), handle, self._folder)
