"""Writes that meet a twin, and writes that find no room."""

import os
from collections.abc import Callable

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from services.chassis.errors import ResourceExhausted
from services.registry import storage
from services.registry.ingest.row_file import write_all


class RacingDatabase:
    """Lets a twin come first so many times."""

    def __init__(self, twins: int) -> None:
        self.twins = twins

    async def write(self, work: Callable[[Connection], str]) -> str:
        if self.twins:
            self.twins -= 1
            raise IntegrityError("INSERT", None, Exception("UNIQUE constraint failed"))
        return work(None)  # type: ignore[arg-type]


async def test_a_write_that_met_a_twin_is_tried_again() -> None:
    assert await storage.write(RacingDatabase(2), lambda connection: "done") == "done"  # type: ignore[arg-type]


async def test_a_write_that_always_fails_ends() -> None:
    with pytest.raises(IntegrityError):
        await storage.write(RacingDatabase(100), lambda connection: "done")  # type: ignore[arg-type]


def test_a_full_disk_is_told_with_the_fix() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(ResourceExhausted, match="free space below TUNESMITH_HOME") as full:
            write_all(descriptor, b"row")
    finally:
        os.close(descriptor)
    assert full.value.reason == "DISK_FULL"
