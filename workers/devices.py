"""What a pool computes on, measured where it runs."""

import os
import platform
from pathlib import Path

import psutil
from tunesmith.pool.v1 import pool_pb2

_CPU_INFO = Path("/proc/cpuinfo")
_CGROUP_MEMORY = Path("/sys/fs/cgroup/memory.max")


def cpu(info: Path = _CPU_INFO, memory_limit: Path = _CGROUP_MEMORY) -> pool_pb2.Device:
    """This machine's processor: the cores this process may use, and the memory a container leaves it."""
    return pool_pb2.Device(
        kind=pool_pb2.DEVICE_KIND_CPU,
        name=_cpu_name(info),
        memory_bytes=min(psutil.virtual_memory().total, _limit(memory_limit)),
        core_count=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    )


def _cpu_name(info: Path) -> str:
    try:
        lines = info.read_text().splitlines()
    except OSError:
        lines = []
    # ARM kernels name no model.
    named = next((line for line in lines if line.startswith("model name")), None)
    return named.partition(":")[2].strip() if named else platform.machine()


def _limit(path: Path) -> float:
    """A container's memory limit; infinite where there is none."""
    try:
        text = path.read_text().strip()
    except OSError:
        return float("inf")
    return float("inf") if text == "max" else int(text)
