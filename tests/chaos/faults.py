"""What can be killed, and how it is found: below the supervisor, by command line, killed by process id."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.chaos.log import OperationLog
from tests.chaos.schedule import FAILPOINT
from tests.chaos.stack import LEASE_S, Stack

_LOOK_S = 0.1
# A failpoint needs a job that comes to it.
FAILPOINT_PATIENCE_S = 25.0
# So that a restart of everything finds nothing of what was.
_RESTART_AFTER_S = (0.0, 2.0)
FROZEN_S = LEASE_S + 3.0


def _is_module(name: str) -> Callable[[list[str]], bool]:
    return lambda command: command[1:3] == ["-m", name]


def _has(text: str) -> Callable[[list[str]], bool]:
    return lambda command: any(text in word for word in command[:3])


TARGETS: dict[str, Callable[[list[str]], bool]] = {
    "services": _is_module("services"),
    "gateway": _has("bin/envoy"),
    "agent": _is_module("workers.agent"),
    "actor": _has("ray::TrainingProcess"),
    "ray-gcs": _has("gcs_server"),
    "ray-raylet": _has("raylet/raylet"),
    "ray-start": lambda command: any(word.endswith("bin/ray") for word in command[:2]) and "start" in command[:3],
}


def find(processes: list[psutil.Process], target: str) -> psutil.Process | None:
    """The process of a part; None while there is none."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if TARGETS[target](process.cmdline()):
                return process
    return None


class Faults:
    """Does to a stack what the schedule says."""

    def __init__(self, stack: Stack, log: OperationLog, seed: int) -> None:
        self._stack = stack
        self._log = log
        self._chance = random.Random(f"{seed}-detail")

    async def do(self, fault: str) -> bool:
        """Do it; False if there was nothing to do it to."""
        self._log.add("invoke", "fault", "faults", fault=fault)
        if fault.startswith(FAILPOINT):
            done = await self._fire(fault.removeprefix(FAILPOINT))
        elif fault == "everything":
            done = await self._kill_everything()
        elif fault == "freeze":
            done = await self._freeze()
        else:
            done = self._kill(fault)
        self._log.add("ok" if done else "fail", "fault", "faults", fault=fault)
        return done

    def _kill(self, target: str) -> bool:
        process = find(self._stack.processes(), target)
        if process is None:
            return False
        with suppress(psutil.NoSuchProcess):
            process.kill()
            return True
        return False

    async def _kill_everything(self) -> bool:
        count = self._stack.kill_everything()
        self._log.add("seen", "killed", "faults", processes=count)
        await asyncio.sleep(self._chance.uniform(*_RESTART_AFTER_S))
        self._stack.start()
        return True

    async def _freeze(self) -> bool:
        """Stop the actor for longer than its lease lasts, then let it go on as if nothing had happened."""
        process = find(self._stack.processes(), "actor")
        if process is None:
            return False
        with suppress(psutil.NoSuchProcess):
            process.suspend()
            self._log.add("seen", "frozen", "faults", pid=process.pid)
            await asyncio.sleep(FROZEN_S)
            process.resume()
            self._log.add("seen", "thawed", "faults", pid=process.pid)
            return True
        return False

    async def _fire(self, name: str) -> bool:
        """Arm a failpoint and wait until somebody died of it: the one who does so removes the file."""
        armed = self._stack.failpoints / name
        armed.touch()
        for _ in range(round(FAILPOINT_PATIENCE_S / _LOOK_S)):
            await asyncio.sleep(_LOOK_S)
            if not armed.exists():
                return True
        try:
            armed.unlink()
        except FileNotFoundError:
            return True
        return False
