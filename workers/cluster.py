"""The Ray cluster that an agent runs in. With `distributed/ray_train.py` all that speaks to Ray."""

import itertools
import logging
import math
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import ray
import structlog
from ray.exceptions import GetTimeoutError, OutOfMemoryError, RayError, RayTaskError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy, PlacementGroupSchedulingStrategy
from tunesmith.pool.v1 import pool_pb2

from services.chassis.settings import Settings
from workers.actor import OMP_VARIABLE, work_root
from workers.crew import ActorLost, ClusterLost, Place, Warm
from workers.heap import ONE_HEAP
from workers.providers.engines import SETTING
from workers.shipped_code import is_elsewhere, shipped

NAMESPACE = "tunesmith"
PING_TIMEOUT_S = 30.0
SURVEY_TIMEOUT_S = 60.0
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
# A place holds its GPU as a placement group; the actors that share it take next to nothing of that, and the agent keeps count.
_TOKEN_OF_GPU = 0.01

log = structlog.get_logger()
_Holder = TypeVar("_Holder")


class TrainingProcess:
    """What Ray runs: a shell around the training actor. Ray pickles this class with all it names, so it names nothing."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        from workers.actor import TrainingActor

        self._actor = TrainingActor(*arguments, **named)

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


class ConductingProcess:
    """What Ray runs: a shell around the conductor of several processes, which names nothing either."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        from workers.distributed.conducting import Conducting

        self._conducting = Conducting(*arguments, **named)

    def run(self, assignment_bytes: bytes) -> tuple[bytes, str]:
        return self._conducting.run(assignment_bytes)

    @ray.method(concurrency_group="ear")
    def hear(self, what: str, *arguments: Any) -> None:
        self._conducting.conductor.hear(what, *arguments)

    @ray.method(concurrency_group="ear")
    def flush(self) -> None:
        self._conducting.conductor.flush()

    @ray.method(concurrency_group="ear")
    def ended(self, rank: int, outcome: bytes) -> None:
        self._conducting.conductor.ended(rank, outcome)

    @ray.method(concurrency_group="mouth")
    def directive(self) -> int:
        return self._conducting.conductor.directive()


class EstimatingProcess:
    """What Ray runs: a shell around the estimator, which names nothing either."""

    def __init__(self, *arguments: Any) -> None:
        from workers.estimating.actor import EstimatorActor

        self._actor = EstimatorActor(*arguments)

    def answer(self, inquiry_bytes: bytes) -> bytes:
        return self._actor.answer(inquiry_bytes)


class RayActor:
    """A training actor in its own process. A method that waits raises ActorLost when that process is gone."""

    def __init__(self, handle: Any, numbers: "_Numbers") -> None:
        self._handle = handle
        self._numbers = numbers
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
        self._numbers.give_back(self)

    def _ask(self, reference: Any) -> Any:
        # ray.get answers None for a method without a result, so the wait has to tell an answer from silence.
        if not ray.wait([reference], timeout=PING_TIMEOUT_S)[0]:
            raise ActorLost(f"the training process did not answer for {PING_TIMEOUT_S:g} s")
        return self._get(reference, 0)

    def _get(self, reference: Any, timeout_s: float) -> Any:
        return _get(reference, timeout_s, "training process")


class RayConductor:
    """Several processes that train together, and who leads them. Whatever waits raises ActorLost when one is gone."""

    def __init__(self, handle: Any, numbers: "_Numbers") -> None:
        self._handle = handle
        self._numbers = numbers
        self._running: Any = None

    def start(self, assignment_bytes: bytes) -> None:
        """Begin an attempt."""
        self._running = self._handle.run.remote(assignment_bytes)

    def wait_outcome(self, timeout_s: float) -> bytes | None:
        """How the attempt ended; None if it still runs."""
        answer = _get(self._running, timeout_s, "process that leads the others")
        if answer is None:
            return None
        outcome, lost = answer
        if lost:
            raise ActorLost(lost)
        ended: bytes = outcome
        return ended

    def dismiss(self) -> None:
        """End it, and those that it leads with it."""
        ray.kill(self._handle, no_restart=True)
        self._numbers.give_back(self)


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
        return _get(self._answering, timeout_s, "estimator")

    def dismiss(self) -> None:
        """End its process at once."""
        ray.kill(self._handle, no_restart=True)


class Cluster:
    """A connection to Ray, and the training actors in it. May be shared by threads."""

    def __init__(self, settings: Settings, pool_id: str) -> None:
        self._settings = settings
        self._pool_id = pool_id
        self._numbers = _Numbers()
        # What holds the GPU of a place, by the place's number.
        self._groups: dict[int, Any] = {}

    def connect(self) -> None:
        """Join the cluster that RAY_ADDRESS names, or start one of this machine's own."""
        options: dict[str, Any] = {"namespace": NAMESPACE, "log_to_driver": False, "logging_level": logging.WARNING}
        address = os.environ.get("RAY_ADDRESS", "")
        if not address:
            for name, value in OWN_RAY_ENVIRONMENT.items():
                os.environ.setdefault(name, value)
            options |= {"address": "local", "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
        ships = self._settings.ship_code
        if address and (is_elsewhere(address) if ships is None else ships):
            options["runtime_env"] = shipped()
        ray.init(**options)
        log.info("ray_connected", address=address or "this machine's own", code_shipped="runtime_env" in options)

    def places(self) -> list[Place]:
        """One for each GPU or partition of one, and the processor of the machine with the most of it."""
        nodes = _alive_nodes()
        best = max(nodes, key=lambda node: node["Resources"].get("CPU", 0), default=None)
        if best is None:
            raise ClusterLost("no machine of the Ray cluster is alive")
        with_gpus = [node for node in nodes if node["Resources"].get("GPU", 0) >= 1]
        if not with_gpus and not best["Resources"].get("CPU", 0):
            # A head that runs nothing itself; whoever starts the agent again finds its workers there.
            raise ClusterLost("no machine of the Ray cluster has a processor or a GPU for jobs yet")
        places: list[Place] = []
        for node in with_gpus:
            count, partitions = int(node["Resources"]["GPU"]), self._partitions_of(node)
            processors = self._settings.cpu_actors if node is best else 0
            cpus = node["Resources"].get("CPU", 0) / ((len(partitions) or count) + processors)
            for part in partitions or [""] * count:
                places.append(Place(len(places), node["NodeID"], cpus, gpu=True, partition=part))
        gpus_there = sum(place.node_id == best["NodeID"] for place in places)
        cpus = best["Resources"].get("CPU", 0) / (self._settings.cpu_actors + gpus_there)
        for _ in range(self._settings.cpu_actors):
            # Without GPUs, wherever there are as many processors: as it always was.
            node_id = best["NodeID"] if with_gpus else ""
            places.append(Place(len(places), node_id, cpus, only_without_gpu=bool(with_gpus)))
        return places

    def hire(self, place: Place) -> RayActor:
        """Start a training actor at a place, and give it what is the place's own."""
        number = self._numbers.take()
        options: dict[str, Any] = {"num_cpus": place.cpus, "num_gpus": 0}
        visible = None
        if place.gpu:
            options = {"num_cpus": 0, "num_gpus": 0 if place.partition else _TOKEN_OF_GPU}
            options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(self._hold(place))
            visible = place.partition or None
        elif place.only_without_gpu:
            visible = ""
        if place.node_id and not place.gpu:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(place.node_id, soft=False)
        actor_class = ray.remote(TrainingProcess).options(
            max_restarts=0,
            max_task_retries=0,
            runtime_env={"env_vars": ONE_HEAP | {SETTING: ",".join(self._settings.engines)}},
            **options,
        )
        settings = self._settings
        handle = actor_class.remote(
            str(settings.home),
            settings.worker_address,
            self._pool_id,
            settings.log_level,
            self._threads(place),
            settings.training_state_seconds,
            settings.cache_max_bytes,
            number=number,
            visible_devices=visible,
        )
        return self._numbers.given(RayActor(handle, self._numbers), number)

    def hire_several(self, places: Sequence[Place], process_count: int) -> RayConductor:
        """Who has so many processes train together at places that were vacated, each with its part of what is theirs."""
        if not _alive_nodes():
            raise ClusterLost("no machine of the Ray cluster is alive")
        number = self._numbers.take()
        settings = self._settings
        gpu = places[0].gpu
        cpus = sum(place.cpus for place in places) / process_count
        threads = os.environ.get(OMP_VARIABLE)
        # One thread listens, so that what is told is heard in order.
        grouped: Any = {"concurrency_groups": {"ear": 1, "mouth": 1}}
        actor_class = ray.remote(**grouped)(ConductingProcess).options(num_cpus=0, num_gpus=0, max_restarts=0, max_task_retries=0)
        handle = actor_class.remote(
            settings.worker_address,
            self._pool_id,
            settings.log_level,
            work_folder=str(work_root(Path(settings.home), number)),
            cache_folder=str(settings.home / "cache"),
            cache_max_bytes=settings.cache_max_bytes,
            training_state_seconds=settings.training_state_seconds,
            threads=int(threads) if threads else None if gpu else max(1, math.floor(cpus)),
            team={
                "count": process_count,
                # Ray reads a share with four digits behind the point: rounded up, it would wait for what is not there.
                "cpus": math.floor(cpus * 1000) / 1000,
                "gpu": gpu,
                "environment": ONE_HEAP | ({} if gpu else {"CUDA_VISIBLE_DEVICES": ""}),
            },
        )
        return self._numbers.given(RayConductor(handle, self._numbers), number)

    def vacate(self, place: Place) -> None:
        """Give the GPU of a place back to Ray."""
        group = self._groups.pop(place.number, None)
        if group is not None:
            remove_placement_group(group)

    def hire_estimator(self) -> RayEstimator:
        """Start an estimator. It asks Ray for nothing, so that it stands beside a training actor that has everything."""
        if not _alive_nodes():
            raise ClusterLost("no machine of the Ray cluster is alive")
        actor_class = ray.remote(EstimatingProcess).options(num_cpus=0, num_gpus=0, max_restarts=0, max_task_retries=0)
        return RayEstimator(actor_class.remote(self._settings.log_level))

    def check(self) -> None:
        """Raise ClusterLost if Ray is gone from this machine.

        When its head is gone instead, Ray ends this process by itself within a minute.
        """
        here = ray.get_runtime_context().get_node_id()
        if not any(node["NodeID"] == here for node in _alive_nodes()):
            raise ClusterLost("Ray's process on this machine is gone")

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        ray.shutdown()

    def _threads(self, place: Place) -> str | None:
        """OpenMP's, of an actor: the agent's own, or as many as actors that share a processor have cores each."""
        asked = os.environ.get(OMP_VARIABLE)
        if asked is None and not place.gpu and self._settings.cpu_actors > 1:
            return str(max(1, math.floor(place.cpus)))
        return asked

    def _hold(self, place: Place) -> Any:
        """What holds a place's GPU, or as much of one as a partition is."""
        group = self._groups.get(place.number)
        if group is None:
            gpus = 1.0 if not place.partition else 0.0
            bundle = {"CPU": place.cpus} | ({"GPU": gpus} if gpus else {})
            options = {"_soft_target_node_id": place.node_id} if place.node_id else {}
            group = self._groups[place.number] = placement_group([bundle], strategy="STRICT_PACK", **options)
        return group

    def _partitions_of(self, node: dict[str, Any]) -> list[str]:
        """UUIDs of the MIG partitions of a machine's GPUs; none if they are whole, or if the machine does not say."""
        strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        asked = ray.remote(_list_partitions).options(num_cpus=0, max_retries=0, scheduling_strategy=strategy).remote()
        try:
            partitions: list[str] = ray.get(asked, timeout=SURVEY_TIMEOUT_S)
        except (RayError, GetTimeoutError) as error:
            log.warning("partitions_unknown", reason=str(error))
            return []
        return partitions


class _Numbers:
    """Who has which folder: each actor of a home has a number of its own, and the lowest is taken again first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[int] = set()
        self._holders: dict[int, int] = {}

    def take(self) -> int:
        """The lowest number that nobody has."""
        with self._lock:
            number = next(number for number in itertools.count() if number not in self._taken)
            self._taken.add(number)
            return number

    def given(self, holder: _Holder, number: int) -> _Holder:
        """Somebody has a number from now on."""
        with self._lock:
            self._holders[id(holder)] = number
        return holder

    def give_back(self, holder: object) -> None:
        """Somebody has no number any more. Once is enough."""
        with self._lock:
            number = self._holders.pop(id(holder), None)
            if number is not None:
                self._taken.discard(number)


def _list_partitions() -> list[str]:
    """On the machine that it is about."""
    from workers.partitions import listed, partitions_of

    return partitions_of(listed())


def _alive_nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


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
