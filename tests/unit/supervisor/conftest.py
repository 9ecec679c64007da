"""Stand-in parts and the supervisor that runs them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[3]
_WAIT_S = 20.0

# A part that says when it is up and when it was asked to end.
WELL_BEHAVED = """
import os, pathlib, signal, sys
folder, name = pathlib.Path(os.environ["FOLDER"]), os.environ["NAME"]
def end(number, frame):
    with open(folder / "ended", "a") as file: file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
(folder / f"{name}.pid").write_text(str(os.getpid()))
with open(folder / "started", "a") as file: file.write(name + "\\n")
(folder / f"{name}.ready").touch()
while True: signal.pause()
"""
# A part that will not end, with a descendant that has left for a session of its own.
STUBBORN = '''
import os, pathlib, signal, subprocess, sys, time
folder, name = pathlib.Path(os.environ["FOLDER"]), os.environ["NAME"]
signal.signal(signal.SIGTERM, signal.SIG_IGN)
ignoring = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
middle = """
import subprocess, sys
apart = {"stdout": subprocess.DEVNULL, "start_new_session": True}
print(subprocess.Popen([sys.executable, "-c", sys.argv[1]], **apart).pid)
"""
orphan = subprocess.run([sys.executable, "-c", middle, ignoring], stdout=subprocess.PIPE, text=True).stdout
(folder / "orphan.pid").write_text(orphan)
(folder / f"{name}.pid").write_text(str(os.getpid()))
(folder / f"{name}.ready").touch()
while True: time.sleep(1)
'''


@dataclass
class Run:
    """A supervisor with stand-in parts."""

    home: Path
    process: subprocess.Popen[bytes]
    output: Path

    def path(self, name: str) -> Path:
        return self.home / "run" / name

    def pid(self, name: str) -> int:
        wait_for(lambda: self.path(f"{name}.pid").exists() and self.path(f"{name}.pid").read_text())
        return int(self.path(f"{name}.pid").read_text())

    def lines(self, name: str) -> list[str]:
        return self.path(name).read_text().split() if self.path(name).exists() else []

    def said(self) -> str:
        return self.output.read_text()

    def wait_until_said(self, text: str, times: int = 1) -> None:
        wait_for(lambda: self.said().count(text) == times)

    def log(self, part: str) -> str:
        path = self.home / f"logs/{part}.log"
        return path.read_text() if path.exists() else ""

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(_WAIT_S)


@pytest.fixture
def run_parts(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(*parts: dict[str, Any]) -> Run:
        command = [sys.executable, "-m", "tests.unit.supervisor.run_parts", str(tmp_path), json.dumps(parts)]
        output = tmp_path / f"output-{len(runs)}"
        with output.open("w") as file:
            process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)
        runs.append(Run(tmp_path, process, output))
        return runs[-1]

    yield start
    for run in runs:
        for process in _descendants(run.process.pid):
            # Its parent still runs, and may have ended and reaped it since the look.
            with suppress(psutil.NoSuchProcess):
                process.kill()
        run.process.kill()
        run.process.wait()
        # What a killed supervisor left is nobody's child any more.
        for file in run.home.glob("run/*.pid"):
            if is_alive(int(file.read_text())):
                os.kill(int(file.read_text()), signal.SIGKILL)


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
