"""A real registry on a port of its own, beside a job service that knows nothing, for clients that wait."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.chassis.settings import Settings
from services.registry.service import build
from supervisor.probes import free_port
from tests.fakes.server import running

START_S = 30.0


@dataclass(frozen=True)
class RealRegistry:
    """Where it is."""

    port: int
    home: Path
    # A folder that models may be imported from.
    imports: Path

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextmanager
def real_registry(home: Path) -> Iterator[RealRegistry]:
    """Run it in a thread until the block ends."""
    registry = RealRegistry(free_port("127.0.0.1"), home / "home", home / "imports")
    registry.home.mkdir()
    registry.imports.mkdir()
    settings = Settings(home=registry.home, job_address=f"unix:{home}/nobody", import_roots=(str(registry.imports),))
    ready, failed = threading.Event(), []
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def run() -> None:
        try:
            async with running(await build(settings), registry.address):
                ready.set()
                await over.wait()
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            ready.set()

    thread = threading.Thread(target=loop.run_until_complete, args=[run()])
    before = structlog.get_config()
    # Its log would stand between the lines of a command that a test reads.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    thread.start()
    try:
        assert ready.wait(START_S) and not failed, failed
        yield registry
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
        structlog.configure(**before)
