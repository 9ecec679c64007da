"""Ray Train, which starts the processes of a training, brings them together and notices when one is gone."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError
from ray.train.torch import TorchConfig
from ray.train.v2.api.config import FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.api.exceptions import ControllerError, TrainingFailedError, WorkerGroupError
from ray.train.v2.torch.torch_trainer import TorchTrainer

from workers.distributed.conductor import ProcessesLost

# For a process group's collectives. Storing a result is none of them.
COLLECTIVE_TIMEOUT_S = 1800
# What Ray Train reads from the environment of whoever starts it.
ENVIRONMENT = {
    # Seconds between looks at the processes: a training ends so much later than its last one.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    # On a busy machine loading torch takes half a minute.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "300",
    # The processes stand in folders of their own.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # A job that loses a machine is leased again.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
}


@dataclass(frozen=True)
class Team:
    """How many processes, and what each has."""

    count: int
    cpus: float
    gpu: bool
    environment: dict[str, str]


class RayLine:
    """A process's line to the conductor, which is an actor."""

    def __init__(self, conductor: Any) -> None:
        self._conductor = conductor

    def tell(self, what: str, *arguments: Any) -> None:
        """Say something; calls of one process are taken in order."""
        self._conductor.hear.remote(what, *arguments)

    def flush(self) -> None:
        """Wait until what was said has reached the service."""
        ray.get(self._conductor.flush.remote())

    def directive(self) -> int:
        """What a person wants."""
        directive: int = ray.get(self._conductor.directive.remote())
        return directive

    def ended(self, rank: int, outcome: bytes) -> None:
        """How this process ended."""
        ray.get(self._conductor.ended.remote(rank, outcome))


def train_together(task: dict[str, Any], team: Team, conductor: Any, folder: Path) -> None:
    """Run the processes to their end; `task` is a member's Task. Raises ProcessesLost."""
    os.environ |= ENVIRONMENT
    trainer = TorchTrainer(
        _train,
        train_loop_config={"task": task, "conductor": conductor},
        torch_config=TorchConfig(timeout_s=COLLECTIVE_TIMEOUT_S),
        scaling_config=ScalingConfig(
            num_workers=team.count,
            use_gpu=team.gpu,
            resources_per_worker={"CPU": team.cpus} | ({"GPU": 1} if team.gpu else {}),
        ),
        run_config=RunConfig(
            name="training",
            storage_path=str(folder / "ray-train"),
            failure_config=FailureConfig(max_failures=0, controller_failure_limit=0, max_preemption_failures=0),
            worker_runtime_env={"env_vars": team.environment},
        ),
    )
    try:
        trainer.fit()
    except WorkerGroupError as error:
        raise ProcessesLost(_reason(error, team.count)) from error
    except ControllerError as error:
        raise ProcessesLost(f"the processes could not be started: {error.controller_failure}") from error
    except TrainingFailedError as error:
        raise ProcessesLost(str(error)) from error


def _train(settings: dict[str, Any]) -> None:
    """What runs in each process. Ray pickles it by its name."""
    from workers.distributed.member import train
    from workers.distributed.task import Task

    rank = ray.train.get_context().get_world_rank()
    train(Task(**settings["task"]), rank, RayLine(settings["conductor"]))


def _reason(error: WorkerGroupError, count: int) -> str:
    """Which process is gone, as the end of a sentence."""
    dead = [rank for rank, failure in sorted(error.worker_failures.items()) if _is_death(failure)]
    if dead:
        which = " and ".join(str(rank + 1) for rank in dead)
        return f"process {which} of the {count} that trained together died: it was killed, ran out of memory or crashed"
    return f"the {count} processes that trained together lost each other"


def _is_death(failure: BaseException) -> bool:
    inner = getattr(failure, "health_check_failure", failure)
    return isinstance(inner, RayActorError)
