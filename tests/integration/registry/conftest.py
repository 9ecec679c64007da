"""A registry in a process of its own, which a test may kill."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from services.chassis.server import client_channel

START_S = 60


class Process:
    """A registry on a socket in its home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.address = f"unix:{home}/registry"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> grpc.aio.Channel:
        """Start it; a channel that is ready."""
        self._begin()
        channel = client_channel(self.address)
        await asyncio.wait_for(channel.channel_ready(), START_S)
        return channel

    def _begin(self) -> None:
        environment = {**os.environ, "TUNESMITH_HOME": str(self.home), "TUNESMITH_REGISTRY_ADDRESS": self.address}
        self._process = subprocess.Popen([sys.executable, "-m", "services.registry"], env=environment)

    def kill(self) -> None:
        """End it as a crash does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int | None:
        """End it as the supervisor does; its exit code."""
        if self._process is None:
            return None
        self._process.terminate()
        return self._process.wait(30)

    def peak_bytes(self) -> int:
        """The most memory it has held."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


@pytest.fixture
def home() -> Iterator[Path]:
    # Not tmp_path: the path of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="tsm-") as folder:
        yield Path(folder)


@pytest.fixture
async def process(home: Path) -> AsyncIterator[Process]:
    process = Process(home)
    yield process
    process.stop()
