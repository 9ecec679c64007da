"""Watchers at the same place share what is read and converted for them."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from sqlalchemy import Connection

from services.chassis.database import Database

Place = TypeVar("Place", bound=Hashable)
Found = TypeVar("Found")


class SharedLooks(Generic[Place, Found]):
    """The reads of one server's watchers: those who look from one place at about one time get one answer."""

    def __init__(self, database: Database, read: Callable[[Connection, Place], Found], gather_s: float = 0.0) -> None:
        """`gather_s` is how long a look waits for others to join it."""
        self._database = database
        self._read_after = read
        self._gather_s = gather_s
        self._looks: dict[Place, asyncio.Task[Found]] = {}

    async def look(self, place: Place) -> Found:
        """What lies after a place."""
        look = self._looks.get(place)
        if look is None:
            look = self._looks[place] = asyncio.create_task(self._read(place))
        # One watcher's end must not end the others' look.
        return await asyncio.shield(look)

    async def _read(self, place: Place) -> Found:
        # Whoever asks before the reading begins may share it: all that woke him is committed by then.
        await asyncio.sleep(self._gather_s)
        del self._looks[place]
        return await self._database.read(lambda connection: self._read_after(connection, place))
