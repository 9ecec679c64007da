"""What the services know of a pool: said again every while, by whichever slot comes to it."""

import threading
import time
from collections.abc import Sequence

import structlog
from tunesmith.pool.v1 import pool_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from workers.crew import Place
from workers.door import Door, DoorError, Refused

# How often a pool says that it is still there.
REFRESH_S = 10.0

log = structlog.get_logger()


class Registration:
    """May be shared by threads. `pool` says who it is; the devices are filled in by the actors that measure them."""

    def __init__(self, door: Door, pool: worker.RegisterPoolRequest, places: Sequence[Place]) -> None:
        self._door = door
        self._pool = worker.RegisterPoolRequest()
        self._pool.CopyFrom(pool)
        self._pool.slot_count = len(places)
        self._lock, self._sending = threading.Lock(), threading.Lock()
        self._refreshed_s = -REFRESH_S
        self._devices: dict[int, list[pool_pb2.Device]] = {}
        self._warm: set[int] = set()
        # What the pool found out about its devices; empty until it has.
        self._measured: list[pool_pb2.Device] = []

    @property
    def pool_id(self) -> str:
        """Whose it is."""
        return self._pool.pool_id

    @property
    def is_measured(self) -> bool:
        """Whether the pool has found out how fast it is."""
        return bool(self._measured)

    def cool(self, place: Place) -> None:
        """No actor is ready at a place."""
        with self._lock:
            self._warm.discard(place.number)
            self._pool.ready = bool(self._warm)
        self.refresh()

    def warm(self, place: Place, devices: Sequence[pool_pb2.Device]) -> None:
        """An actor is ready at a place and has these devices."""
        with self._lock:
            self._warm.add(place.number)
            self._devices[place.number] = list(devices)
            self._write()
            self._pool.ready = True

    def measured(self, devices: Sequence[pool_pb2.Device]) -> None:
        """What was found out about devices; it holds for others of the same name."""
        with self._lock:
            self._measured = list(devices)
            self._write()
        self.refresh()

    def say(self) -> None:
        """Register. Raises DoorError and Refused."""
        # One after another: what was true before must not arrive after what is true now.
        with self._sending:
            with self._lock:
                request = worker.RegisterPoolRequest()
                request.CopyFrom(self._pool)
            self._door.register_pool(request)

    def refresh(self) -> None:
        """Say that the pool is there, if the door is."""
        self._refreshed_s = time.monotonic()
        try:
            self.say()
        except (DoorError, Refused) as error:
            log.debug("register_failed", message=str(error))

    def is_due(self) -> bool:
        """Whether it is time to say so again."""
        return time.monotonic() - self._refreshed_s >= REFRESH_S

    def _write(self) -> None:
        """The processor once, and every GPU."""
        known = {(one.kind, one.name, one.memory_bytes): one for one in self._measured}
        listed: list[pool_pb2.Device] = []
        for _, devices in sorted(self._devices.items()):
            has_processor = any(one.kind == pool_pb2.DEVICE_KIND_CPU for one in listed)
            for device in devices:
                if device.kind != pool_pb2.DEVICE_KIND_CPU or not has_processor:
                    listed.append(known.get((device.kind, device.name, device.memory_bytes), device))
        del self._pool.devices[:]
        self._pool.devices.extend(listed)
