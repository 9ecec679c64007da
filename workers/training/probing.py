"""Probing every device of a pool, a little at a time."""

from collections.abc import Callable, Sequence

import torch
from tunesmith.pool.v1 import device_measurement_pb2, pool_pb2

from workers.training.probe import Probe, idle_bytes


class Probing:
    """What is being found out about a pool's devices.

    Where there are GPUs, they are what jobs train on, and the processor is not measured. GPUs of one name are taken to be equal.
    """

    def __init__(self, devices: Sequence[pool_pb2.Device], held_bytes: Callable[[], int]) -> None:
        self._devices = list(devices)
        self._held_bytes = held_bytes
        gpus = [device for device in self._devices if device.kind == pool_pb2.DEVICE_KIND_CUDA]
        # As torch numbers them: the order in which they were listed.
        self._waiting = list({device.name: index for index, device in reversed(list(enumerate(gpus)))}.items())
        if not gpus:
            self._waiting = [(device.name, -1) for device in self._devices[:1]]
        self._probe: Probe | None = None
        self._found: dict[str, device_measurement_pb2.DeviceMeasurement] = {}

    def advance(self, seconds: float) -> list[pool_pb2.Device] | None:
        """Go on for about so long; returns the devices with what was found once all of it is."""
        if self._waiting:
            name, index = self._waiting[-1]
            if self._probe is None:
                self._probe = _begin(index, self._held_bytes)
            found = self._probe.advance(seconds)
            if found is None:
                return None
            self._found[name] = found
            self._waiting.pop()
            self._probe = None
            if self._waiting:
                return None
        for device in self._devices:
            if device.name in self._found:
                device.measurement.CopyFrom(self._found[device.name])
        return self._devices


def _begin(index: int, held_bytes: Callable[[], int]) -> Probe:
    if index < 0:
        return Probe("cpu", held_bytes())
    with torch.cuda.device(index):
        return Probe(f"cuda:{index}", idle_bytes(index))
