"""What is expected of a run, as far as anything is known about it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunesmith.pool.v1.pool_pb2 import Device, Pool
from tunesmith.preflight.v1.estimate_pb2 import Cost, MemoryEstimate, ThroughputEstimate

from services.preflight.devices import AcceleratorSpec

if TYPE_CHECKING:
    from services.preflight.estimate.workload import Workload


@dataclass(frozen=True)
class Place:
    """What a job would run on."""

    device: Device
    device_count: int
    # None: hardware that no pool has.
    pool: Pool | None
    # What its maker says of it; None for a device that is not in the table, such as a CPU.
    spec: AcceleratorSpec | None
    # Where the device's figures are from, in a sentence.
    detail: str


@dataclass(frozen=True)
class Prediction:
    """Estimates of one configuration. What is None is not known."""

    place: Place | None = None
    workload: "Workload | None" = None
    memory: MemoryEstimate | None = None
    throughput: ThroughputEstimate | None = None
    duration_seconds: float | None = None
    queue_seconds: float | None = None
    cost: Cost | None = None
    download_bytes: int = 0
    download_seconds: float | None = None

    @property
    def device_bytes(self) -> int:
        """Memory of the device; 0 if it is not known."""
        return self.place.device.memory_bytes if self.place is not None else 0

    @property
    def fits(self) -> bool | None:
        """Whether it fits into the device's memory, whatever the estimate's error; None where that can't be told."""
        if self.memory is None or not self.device_bytes:
            return None
        return self.memory.high_bytes <= self.device_bytes
