"""The Ray cluster that an agent runs in. The only file that speaks to Ray."""

import logging
import os
from typing import Any

import ray
import structlog
from ray.exceptions import GetTimeoutError, OutOfMemoryError, RayError, RayTaskError
from tunesmith.pool.v1 import pool_pb2

from services.chassis.settings import Settings
from workers.actor import OMP_VARIABLE
from workers.crew import ActorLost, ClusterLost, Warm
from workers.heap import ONE_HEAP

NAMESPACE = "tunesmith"
PING_TIMEOUT_S = 30.0
# Nothing here goes through Ray's object store; left to itself it takes 30 % of the memory.
OBJECT_STORE_BYTES = 80 * 1024 * 1024
# What a Ray of this machine's own is told: no news to its makers, no process for each core before there is work for one, and for
# a job as much of the processor as a script gets.
OWN_RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
}

log = structlog.get_logger()


class TrainingProcess:
    """What Ray runs: a shell around the training actor. Ray pickles this class with all it names, so it names nothing."""

    def __init__(self, *arguments: Any) -> None:
        from workers.actor import TrainingActor

        self._actor = TrainingActor(*arguments)

    def warm(self) -> tuple[list[bytes], float, int]:
        return self._actor.warm()

    def probe(self, seconds: float) -> list[bytes] | None:
        return self._actor.probe(seconds)

    def ping(self) -> None:
        self._actor.ping()

    def run(self, assignment_bytes: bytes) -> bytes:
        return self._actor.run(assignment_bytes)

    def held_bytes(self) -> int:
        return self._actor.held_bytes()


class EstimatingProcess:
    """What Ray runs: a shell around the estimator, which names nothing either."""

    def __init__(self, *arguments: Any) -> None:
        from workers.estimating.actor import EstimatorActor

        self._actor = EstimatorActor(*arguments)

    def answer(self, inquiry_bytes: bytes) -> bytes:
        return self._actor.answer(inquiry_bytes)


class RayActor:
    """A training actor in its own process. A method that waits raises ActorLost when that process is gone."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._warming = handle.warm.remote()
        self._running: Any = None

    def wait_warm(self, timeout_s: float) -> Warm | None:
        """What it measured once it is ready; None if that takes longer."""
        answer = self._get(self._warming, timeout_s)
        if answer is None:
            return None
        devices, seconds, held_bytes = answer
        return Warm([pool_pb2.Device.FromString(device) for device in devices], seconds, held_bytes)

    def probe(self, seconds: float) -> list[pool_pb2.Device] | None:
        """Have it go on measuring its devices for about so long; the devices, once nothing is left to measure."""
        devices = self._ask(self._handle.probe.remote(seconds))
        return None if devices is None else [pool_pb2.Device.FromString(device) for device in devices]

    def ping(self) -> None:
        """Make sure that it lives."""
        self._ask(self._handle.ping.remote())

    def start(self, assignment_bytes: bytes) -> None:
        """Begin an attempt."""
        self._running = self._handle.run.remote(assignment_bytes)

    def wait_outcome(self, timeout_s: float) -> bytes | None:
        """How the attempt ended; None if it still runs."""
        return self._get(self._running, timeout_s)

    def held_bytes(self) -> int:
        """The memory that it alone accounts for."""
        return self._ask(self._handle.held_bytes.remote())

    def dismiss(self) -> None:
        """End its process at once."""
        ray.kill(self._handle, no_restart=True)

    def _ask(self, reference: Any) -> Any:
        # ray.get answers None for a method without a result, so the wait has to tell an answer from silence.
        if not ray.wait([reference], timeout=PING_TIMEOUT_S)[0]:
            raise ActorLost(f"the training process did not answer for {PING_TIMEOUT_S:g} s")
        return self._get(reference, 0)

    def _get(self, reference: Any, timeout_s: float) -> Any:
        return _get(reference, timeout_s, "training process")


class RayEstimator:
    """An estimator in its own process. A method that waits raises ActorLost when that process is gone."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._answering: Any = None

    def start(self, inquiry_bytes: bytes) -> None:
        """Begin to answer an inquiry."""
        self._answering = self._handle.answer.remote(inquiry_bytes)

    def wait_answer(self, timeout_s: float) -> bytes | None:
        """The answer; None if it takes longer."""
        answer: bytes | None = _get(self._answering, timeout_s, "estimator")
        return answer

    def dismiss(self) -> None:
        """End its process at once."""
        ray.kill(self._handle, no_restart=True)


class Cluster:
    """A connection to Ray, and the training actors in it."""

    def __init__(self, settings: Settings, pool_id: str) -> None:
        self._log_level = settings.log_level
        self._arguments = (
            str(settings.home),
            settings.worker_address,
            pool_id,
            settings.log_level,
            os.environ.get(OMP_VARIABLE),
            settings.training_state_seconds,
            settings.cache_max_bytes,
        )

    def connect(self) -> None:
        """Join the cluster that RAY_ADDRESS names, or start one of this machine's own."""
        options: dict[str, Any] = {"namespace": NAMESPACE, "log_to_driver": False, "logging_level": logging.WARNING}
        if not os.environ.get("RAY_ADDRESS"):
            for name, value in OWN_RAY_ENVIRONMENT.items():
                os.environ.setdefault(name, value)
            options |= {"address": "local", "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
        ray.init(**options)
        log.info("ray_connected", address=ray.get_runtime_context().gcs_address)

    def hire(self) -> RayActor:
        """Start a training actor on the machine with the most to offer, and give it all of that."""
        best = max(_alive_nodes(), key=lambda node: (node.get("GPU", 0), node.get("CPU", 0)), default=None)
        if best is None:
            raise ClusterLost("no machine of the Ray cluster is alive")
        actor_class = ray.remote(TrainingProcess).options(
            num_cpus=best.get("CPU", 0),
            num_gpus=best.get("GPU", 0),
            max_restarts=0,
            max_task_retries=0,
            runtime_env={"env_vars": ONE_HEAP},
        )
        return RayActor(actor_class.remote(*self._arguments))

    def hire_estimator(self) -> RayEstimator:
        """Start an estimator. It asks Ray for nothing, so that it stands beside a training actor that has everything."""
        if not _alive_nodes():
            raise ClusterLost("no machine of the Ray cluster is alive")
        actor_class = ray.remote(EstimatingProcess).options(num_cpus=0, num_gpus=0, max_restarts=0, max_task_retries=0)
        return RayEstimator(actor_class.remote(self._log_level))

    def check(self) -> None:
        """Raise ClusterLost if Ray is gone from this machine.

        When its head is gone instead, Ray ends this process by itself within a minute.
        """
        here = ray.get_runtime_context().get_node_id()
        if not any(node["NodeID"] == here and node["Alive"] for node in ray.nodes()):
            raise ClusterLost("Ray's process on this machine is gone")

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        ray.shutdown()


def _alive_nodes() -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _get(reference: Any, timeout_s: float, who: str) -> Any:
    try:
        return ray.get(reference, timeout=timeout_s)
    except GetTimeoutError:
        return None
    except RayTaskError as error:
        # Its own code never raises for a job's or an inquiry's sake, so this process is not to be trusted with another.
        raise ActorLost(f"the {who} failed with {type(error.cause).__name__}: {error.cause}") from error
    except RayError as error:
        raise ActorLost(_reason(error, who)) from error


def _reason(error: RayError, who: str) -> str:
    """Why a process died, as the end of a sentence. Ray's own text holds addresses and a page of guesses; the log gets it."""
    text = str(error)
    log.warning("actor_lost", ray=text)
    if isinstance(error, OutOfMemoryError) or "OUT_OF_MEMORY" in text:
        return f"the machine ran low on memory, and Ray ended the {who}"
    if "ray.kill" in text:
        return f"the agent ended the {who}"
    if "creation task" in text:
        return f"the {who} could not start: {text.strip().splitlines()[-1]}"
    return f"the {who} died without a word: it was killed, ran out of memory or crashed"
