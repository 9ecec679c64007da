"""The stack that the demo runs on: the one that is up already, or one of its own."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import TracebackType
from typing import Self

from tunesmith.cli.session import Session
from tunesmith.pool.v1 import pool_pb2

from services.chassis.settings import Settings

READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
_POLL_S = 0.25


class StackError(RuntimeError):
    """The stack did not start; the message says where its log is."""


class Stack:
    """`make up`, for the length of a demo."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._url = url
        self._log = settings.home / "logs" / "supervisor.log"
        self._supervisor: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if not self._healthy():
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("wb") as log:
                # A session of its own: Ctrl-C reaches the demo alone, which then ends the stack in order.
                self._supervisor = subprocess.Popen(
                    [sys.executable, "-m", "supervisor"],
                    # The catalogue would compete with the training that is measured; the next `make up` registers it.
                    env=os.environ | {"TUNESMITH_CATALOG": "0"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._supervisor is not None:
            self._supervisor.terminate()
            self._supervisor.wait(STOP_TIMEOUT_S)

    def wait_until_ready(self, session: Session) -> None:
        """Return when the gateway is healthy and a pool takes work. Raises StackError."""
        end = time.monotonic() + READY_TIMEOUT_S
        while not (self._healthy() and _has_pool(session)):
            if self._supervisor is not None and self._supervisor.poll() is not None:
                raise StackError(f"the stack ended while it started:\n{self._log.read_text()[-2000:]}")
            if time.monotonic() > end:
                raise StackError(f"the stack was not ready within {READY_TIMEOUT_S:.0f} s; its log is {self._log}")
            time.sleep(_POLL_S)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/healthz", timeout=2) as response:  # noqa: S310
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _has_pool(session: Session) -> bool:
    pools = session.client.pools.list_pools().pools
    return any(pool.state == pool_pb2.POOL_STATE_READY for pool in pools)
