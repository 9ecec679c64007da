"""A fake door and a client of it."""

import time
from collections.abc import Iterator

import pytest

from tests.fakes.worker_door import FakeDoor
from workers.door import Door


@pytest.fixture
def server() -> Iterator[FakeDoor]:
    fake = FakeDoor()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def door(server: FakeDoor) -> Door:
    return Door(server.address, clock=time.monotonic)
