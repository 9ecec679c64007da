"""What the lease loop needs of a cluster, whatever it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tunesmith.pool.v1 import pool_pb2


class ActorLost(Exception):
    """The training actor is gone, or of no use any more; the message says why. Start another."""


class ClusterLost(Exception):
    """Ray does not run here any more. Only a new process can join it again."""


@dataclass(frozen=True)
class Place:
    """Where one training actor stands, and what is its own there."""

    number: int = 0
    # Ray's name of the machine; empty: any that has the processors.
    node_id: str = ""
    cpus: float = 0
    # Whether it has a GPU, or a part of one, that nobody else has.
    gpu: bool = False
    # The MIG partition that it is, by its UUID.
    partition: str = ""
    # The processor beside GPUs: work that would run faster on those is left to them.
    only_without_gpu: bool = False


@dataclass(frozen=True)
class Warm:
    """A training actor that is ready for work."""

    devices: list[pool_pb2.Device]
    seconds: float
    held_bytes: int


class Runner(Protocol):
    """What runs an attempt, in processes of its own. Whatever waits for it raises ActorLost when one of them is gone."""

    def start(self, assignment_bytes: bytes) -> None:
        """Begin an attempt."""

    def wait_outcome(self, timeout_s: float) -> bytes | None:
        """How the attempt ended; None if it still runs."""

    def dismiss(self) -> None:
        """End it at once."""


class Actor(Runner, Protocol):
    """A training actor in its own process, which is warm before it has work."""

    def wait_warm(self, timeout_s: float) -> Warm | None:
        """What it measured once it is ready; None if that takes longer."""

    def probe(self, seconds: float) -> list[pool_pb2.Device] | None:
        """Have it go on measuring its devices for about so long; the devices, once nothing is left to measure."""

    def ping(self) -> None:
        """Make sure that it lives."""

    def held_bytes(self) -> int:
        """The memory that it alone accounts for."""


class Estimator(Protocol):
    """An estimator in its own process. Whatever waits for it raises ActorLost when that process is gone."""

    def start(self, inquiry_bytes: bytes) -> None:
        """Begin to answer an inquiry."""

    def wait_answer(self, timeout_s: float) -> bytes | None:
        """The answer; None if it takes longer."""

    def dismiss(self) -> None:
        """End its process at once."""


class Crew(Protocol):
    """Where training actors come from, and an estimator beside them."""

    def places(self) -> list[Place]:
        """Where actors can stand at the same time. Raises ClusterLost if there is nowhere."""

    def hire(self, place: Place) -> Actor:
        """Start a training actor at a place; several there share its GPU. Raises ClusterLost if the place is gone."""

    def hire_several(self, places: Sequence[Place], process_count: int) -> Runner:
        """What runs an attempt in so many processes, at places that were vacated. Raises ClusterLost if there is nowhere to."""

    def vacate(self, place: Place) -> None:
        """Give back what a place holds in the cluster, once its actors are dismissed; the next one takes it again."""

    def hire_estimator(self) -> Estimator:
        """Start an estimator, which takes nothing of what training actors need. Raises ClusterLost if there is nowhere to."""

    def check(self) -> None:
        """Raise ClusterLost if no actor can run any more."""
