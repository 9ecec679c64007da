"""A Tunesmith that is made to die: in a home of its own, on free ports, started again after everything was killed."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

from supervisor.home import Home
from supervisor.probes import free_port
from tests.integration import whole_stack as whole
from tests.integration.whole_stack import still_alive, wait_for

READY_WITHIN_S = 120.0
STOPPED_WITHIN_S = 30.0
# Short, so that a lost lease is noticed in time; a restart of the services takes about half of it.
LEASE_S = 6.0
TRAINING_STATE_S = 1.0
# Other programs on the machine must not stretch a job of seconds to minutes: two threads that wait for each other, at the low
# priority that Ray gives its workers, would.
_STEADY_PACE = {"OMP_NUM_THREADS": "1"}


class Stack:
    """`python -m supervisor`, and where its things lie."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.failpoints = root / "failpoints"
        self.failpoints.mkdir(parents=True)
        self._ports = free_port("127.0.0.1"), free_port("127.0.0.1")
        self._starts = 0
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def port(self) -> int:
        return self._ports[0]

    def start(self) -> None:
        """Start the supervisor; what an earlier one said is kept."""
        said = self.home.root / "said"
        if said.exists():
            said.rename(said.with_name(f"said-{self._starts}"))
        self._starts += 1
        self._running = whole.start(
            self.home.root,
            *self._ports,
            TUNESMITH_LEASE_SECONDS=str(LEASE_S),
            TUNESMITH_TRAINING_STATE_SECONDS=str(TRAINING_STATE_S),
            TUNESMITH_FAILPOINT_FOLDER=str(self.failpoints),
            **_STEADY_PACE,
        )

    def wait_ready(self) -> None:
        """Return when a first job can run."""
        for text in ("pool ready", "starter: done"):
            wait_for(lambda text=text: text in self._running.said(), READY_WITHIN_S, self._running)

    def processes(self) -> list[psutil.Process]:
        """All below the supervisor; none while there is no supervisor."""
        with suppress(psutil.NoSuchProcess):
            return self._running.descendants()
        return []

    def kill_everything(self) -> int:
        """SIGKILL for the supervisor and all below it, the supervisor first; answers how many processes that were."""
        processes = self.processes()
        self._running.process.kill()
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._running.process.wait()
        return 1 + len(processes)

    def stop(self) -> None:
        """End it in order, then whatever of it is left."""
        with suppress(Exception):
            self._running.process.send_signal(signal.SIGTERM)
            self._running.process.wait(STOPPED_WITHIN_S)
        self._running.process.kill()
        self._running.process.wait()
        for process in self._of_this_home():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        deadline = time.monotonic() + STOPPED_WITHIN_S
        while still_alive(self._of_this_home()):
            assert time.monotonic() < deadline, "processes of this home outlive SIGKILL"
            time.sleep(0.1)

    def _of_this_home(self) -> list[psutil.Process]:
        """Processes of ours whom a killed supervisor left: every part is told its home, which nobody else has."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if process.uids().real == os.getuid() and process.environ().get("TUNESMITH_HOME") == str(self.home.root):
                    found.append(process)
        return found
