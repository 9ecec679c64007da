"""What a pool says it computes on."""

import os
from pathlib import Path

import psutil
import pytest
from tunesmith.pool.v1 import pool_pb2

from workers import devices


def test_the_processor_is_measured() -> None:
    device = devices.cpu()
    assert device.kind == pool_pb2.DEVICE_KIND_CPU
    assert device.name
    assert device.core_count == len(os.sched_getaffinity(0))
    assert 0 < device.memory_bytes <= psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("text", "name"),
    [("processor: 0\nmodel name\t: Fast Chip 9\nflags: a", "Fast Chip 9"), ("CPU part: 0xd0c", os.uname().machine)],
)
def test_a_processor_without_a_name_is_called_by_its_architecture(tmp_path: Path, text: str, name: str) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(text)
    assert devices.cpu(info=info).name == name


@pytest.mark.parametrize(("limit", "memory_bytes"), [("1000000\n", 1_000_000), ("max\n", psutil.virtual_memory().total)])
def test_a_containers_limit_counts(tmp_path: Path, limit: str, memory_bytes: int) -> None:
    path = tmp_path / "memory.max"
    path.write_text(limit)
    assert devices.cpu(memory_limit=path).memory_bytes == memory_bytes
