"""Who works on which of the pool's places: what each still has for another job, and how several are brought together for one.

A place has one slot that waits for a job, and as many that work as share its GPU. A place that a job on several GPUs claims is
vacated by the slot that waits there.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from tunesmith.pool.v1 import pool_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from workers.crew import Place

# Less of a GPU than this is not worth another process, whose context alone takes half a gigabyte.
SMALLEST_SHARE = 0.05


@dataclass
class _Standing:
    """How a place stands."""

    # What its actor calls the device; unset until one was warm.
    device: pool_pb2.Device | None = None
    waiting: bool = False
    # By job, of those that run there.
    shares: dict[str, float] = field(default_factory=dict)
    # A job on several places wants it, or has it; it has it once it is vacant.
    claimed: bool = False
    vacant: bool = False

    @property
    def free_share(self) -> float:
        # Rounded, so that what is left of 0.1 and 0.2 is enough for 0.7.
        return max(0.0, round(1.0 - sum(self.shares.values()), 6))


class Roster:
    """May be shared by threads."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = list(places)
        self._standing = {place.number: _Standing() for place in places}
        self._changed = threading.Condition()

    def wait(self, place: Place) -> bool:
        """A slot waits for a job from now on; False if it is not needed, because another one waits there already."""
        with self._changed:
            standing = self._standing[place.number]
            if standing.waiting:
                return False
            standing.waiting = True
            return True

    def leave(self, place: Place) -> None:
        """The slot that waited is gone."""
        with self._changed:
            self._standing[place.number].waiting = False
            self._changed.notify_all()

    def know(self, place: Place, device: pool_pb2.Device) -> None:
        """What the place's actor calls its device."""
        with self._changed:
            self._standing[place.number].device = device

    def offer(self, place: Place) -> worker.SlotOffer:
        """What the slot that waits there has for a job."""
        with self._changed:
            standing = self._standing[place.number]
            device = standing.device or pool_pb2.Device()
            if not place.gpu:
                kind = pool_pb2.DEVICE_KIND_CPU
                return worker.SlotOffer(kind=kind, device_name=device.name, only_without_gpu=place.only_without_gpu)
            count = 1 + len(self._claimable(place)) if standing.free_share == 1 else 1
            share = standing.free_share
            return worker.SlotOffer(kind=pool_pb2.DEVICE_KIND_CUDA, device_name=device.name, free_share=share, gpu_count=count)

    def is_shared(self, place: Place) -> bool:
        """Whether what a slot there can offer may change while it asks: then it asks often."""
        with self._changed:
            gpus = [other for other in self.places if other.gpu and not other.partition]
            return place.gpu and (len(gpus) > 1 or bool(self._standing[place.number].shares))

    def has_jobs(self, place: Place) -> bool:
        """Whether jobs run at a place."""
        with self._changed:
            return bool(self._standing[place.number].shares)

    def is_claimed(self, place: Place) -> bool:
        """Whether a job on several places wants this one."""
        with self._changed:
            return self._standing[place.number].claimed

    def begin(self, place: Place, job_id: str, share: float) -> bool:
        """The slot that waited has a job; tells whether there is enough left for another slot to wait."""
        with self._changed:
            standing = self._standing[place.number]
            standing.shares[job_id] = share
            standing.waiting = False
            return place.gpu and standing.free_share >= SMALLEST_SHARE

    def end(self, place: Place, job_id: str) -> None:
        """The job is over."""
        with self._changed:
            self._standing[place.number].shares.pop(job_id, None)
            self._changed.notify_all()

    def claim(self, place: Place, count: int) -> list[Place] | None:
        """So many places like this one besides it, whose slots wait; None if there are too few. Each has to be vacated yet."""
        with self._changed:
            others = self._claimable(place)[:count]
            if len(others) < count:
                return None
            for other in others:
                self._standing[other.number].claimed = True
            return others

    def vacate(self, place: Place) -> None:
        """A place that is claimed has no actor any more."""
        with self._changed:
            standing = self._standing[place.number]
            standing.vacant, standing.waiting = True, False
            self._changed.notify_all()

    def wait_vacant(self, places: Sequence[Place], timeout_s: float) -> bool:
        """Whether the places that were claimed are vacant within so long."""
        with self._changed:
            return self._changed.wait_for(lambda: all(self._standing[one.number].vacant for one in places), timeout_s)

    def give_back(self, places: Sequence[Place]) -> None:
        """The job on several places is over, or does not happen."""
        with self._changed:
            for place in places:
                standing = self._standing[place.number]
                standing.claimed = standing.vacant = False
            self._changed.notify_all()

    def wait_given_back(self, place: Place, timeout_s: float) -> bool:
        """Whether a place is nobody else's within so long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._standing[place.number].claimed, timeout_s)

    def _claimable(self, place: Place) -> list[Place]:
        """Other places with the same GPU, all of it free, on which a slot waits. Partitions can't train together."""
        here = self._standing[place.number]
        if place.partition or here.device is None:
            return []
        found = []
        for other in self.places:
            there = self._standing[other.number]
            same = other.gpu and not other.partition and there.device is not None and there.device.name == here.device.name
            if same and other.number != place.number and there.waiting and not there.claimed and not there.shares:
                found.append(other)
        return found
