"""The MIG partitions of a machine's GPUs: parts with walls around them, each a device of its own."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

_LISTING_S = 20.0
_GPU = re.compile(r"GPU (?P<index>\d+): (?P<name>.+) \(UUID: (?P<uuid>GPU-[0-9a-fA-F-]+)\)")
_MIG = re.compile(r"MIG (?P<profile>\S+)\s+Device\s+\d+: \(UUID: (?P<uuid>MIG-[0-9a-zA-Z/-]+)\)")
_MIG_UUID = re.compile(r"MIG-[0-9a-zA-Z/-]+")


@dataclass(frozen=True)
class Gpu:
    """A GPU as its driver lists it."""

    index: int
    name: str
    # By UUID; empty where it is not partitioned.
    partitions: tuple[str, ...]


def is_partition(visible_devices: str) -> bool:
    """Whether what CUDA may see is one partition."""
    return _MIG_UUID.fullmatch(visible_devices) is not None


def parse(listing: str) -> list[Gpu]:
    """What `nvidia-smi -L` says."""
    found: list[tuple[int, str, list[str]]] = []
    for line in listing.splitlines():
        gpu, mig = _GPU.fullmatch(line.strip()), _MIG.fullmatch(line.strip())
        if gpu:
            found.append((int(gpu["index"]), gpu["name"], []))
        elif mig and found:
            found[-1][2].append(mig["uuid"])
    return [Gpu(index, name, tuple(partitions)) for index, name, partitions in found]


def listed() -> list[Gpu]:
    """This machine's GPUs; empty if neither its driver's library nor its tool can be asked."""
    return _by_library() or parse(_listing())


def partitions_of(gpus: Sequence[Gpu]) -> list[str]:
    """Every partition, where GPUs have some."""
    return [uuid for gpu in gpus for uuid in gpu.partitions]


def _listing() -> str:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    try:
        return subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=_LISTING_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _by_library() -> list[Gpu]:
    """By NVIDIA's own Python library, which is not one of ours: a machine with GPUs may have it."""
    try:
        library = import_module("pynvml")
    except ImportError:
        return []
    try:
        library.nvmlInit()
        return [_gpu(library, index) for index in range(library.nvmlDeviceGetCount())]
    except library.NVMLError:
        return []


def _gpu(library: Any, index: int) -> Gpu:
    handle = library.nvmlDeviceGetHandleByIndex(index)
    return Gpu(index, _text(library.nvmlDeviceGetName(handle)), tuple(_partitions(library, handle)))


def _partitions(library: Any, handle: Any) -> Iterator[str]:
    try:
        current, _ = library.nvmlDeviceGetMigMode(handle)
        places = library.nvmlDeviceGetMaxMigDeviceCount(handle) if current == library.NVML_DEVICE_MIG_ENABLE else 0
    except library.NVMLError:
        # A GPU that can't be partitioned.
        return
    for place in range(places):
        try:
            part = library.nvmlDeviceGetMigDeviceHandleByIndex(handle, place)
            yield _text(library.nvmlDeviceGetUUID(part))
        except library.NVMLError:
            # An empty place.
            continue


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
