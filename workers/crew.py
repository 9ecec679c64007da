"""What the lease loop needs of a cluster, whatever it is made of."""

from dataclasses import dataclass
from typing import Protocol

from tunesmith.pool.v1 import pool_pb2


class ActorLost(Exception):
    """The training actor is gone, or of no use any more; the message says why. Start another."""


class ClusterLost(Exception):
    """Ray does not run here any more. Only a new process can join it again."""


@dataclass(frozen=True)
class Warm:
    """A training actor that is ready for work."""

    devices: list[pool_pb2.Device]
    seconds: float
    held_bytes: int


class Actor(Protocol):
    """A training actor in its own process. Whatever waits for it raises ActorLost when that process is gone."""

    def wait_warm(self, timeout_s: float) -> Warm | None:
        """What it measured once it is ready; None if that takes longer."""

    def probe(self, seconds: float) -> list[pool_pb2.Device] | None:
        """Have it go on measuring its devices for about so long; the devices, once nothing is left to measure."""

    def ping(self) -> None:
        """Make sure that it lives."""

    def start(self, assignment_bytes: bytes) -> None:
        """Begin an attempt."""

    def wait_outcome(self, timeout_s: float) -> bytes | None:
        """How the attempt ended; None if it still runs."""

    def held_bytes(self) -> int:
        """The memory that it alone accounts for."""

    def dismiss(self) -> None:
        """End its process at once."""


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

    def hire(self) -> Actor:
        """Start a training actor. Raises ClusterLost if there is nowhere to."""

    def hire_estimator(self) -> Estimator:
        """Start an estimator, which takes nothing of what training actors need. Raises ClusterLost if there is nowhere to."""

    def check(self) -> None:
        """Raise ClusterLost if no actor can run any more."""
