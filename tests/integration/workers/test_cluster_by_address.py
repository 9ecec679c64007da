"""An agent joins a Ray cluster of somebody else's by its address alone, and brings the code that its actors run."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.fakes.worker_door import FakeDoor
from tests.integration.training.conftest import tiny_base
from tests.integration.workers.conftest import STOP_S, RunningAgent
from tests.integration.workers.test_agent import assignment_of, files_of, held_out_rows, training_rows

__all__ = ["tiny_base"]

pytestmark = pytest.mark.integration

START_S, TRAINING_S = 90.0, 90.0


@dataclass
class ForeignCluster:
    """A Ray head that knows nothing of Tunesmith: it was started elsewhere, and its Python path does not lead here."""

    folder: Path
    client_port: int
    process: subprocess.Popen[bytes]

    @property
    def variables(self) -> dict[str, str]:
        """What whoever joins it is told."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.folder / "token")}

    def processes(self, name: str) -> list[psutil.Process]:
        return [one for one in psutil.Process(self.process.pid).children(recursive=True) if name in one.name()]


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="module")
def foreign() -> Iterator[ForeignCluster]:
    folder = Path(tempfile.mkdtemp(prefix="tsf", dir="/tmp"))
    (folder / "token").write_text(secrets.token_hex(32))
    port, client_port, agent_port = free_ports(3)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TUNESMITH_", "PYTHON"))} | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_enable_worker_prestart": "0",
        "RAY_prestart_worker_first_driver": "0",
    }
    command = [
        *(str(Path(sys.prefix) / "bin/ray"), "start", "--head", "--block", "--node-ip-address", "127.0.0.1"),
        *("--port", str(port), "--ray-client-server-port", str(client_port), "--dashboard-agent-listen-port", str(agent_port)),
        *("--include-dashboard", "false", "--no-monitor", "--disable-usage-stats", "--num-cpus", "2"),
        *("--object-store-memory", str(100_000_000), "--temp-dir", str(folder / "ray")),
    ]
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL)
    cluster = ForeignCluster(folder, client_port, process)
    try:
        yield cluster
    finally:
        left = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _, alive = psutil.wait_procs(left, timeout=STOP_S)
        for one in alive:
            one.kill()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_job_runs_on_a_cluster_that_is_named_by_its_address(foreign: ForeignCluster, tiny_base: Path) -> None:
    door = FakeDoor()
    door.start()
    # On this machine nothing has to be sent, so the test asks for it; whether it was is seen by where the actor's code lies.
    address = f"ray://127.0.0.1:{foreign.client_port}"
    running = RunningAgent(door, RAY_ADDRESS=address, TUNESMITH_SHIP_CODE="1", **foreign.variables)
    try:
        job = door.add_job(assignment_of(3, 30), training_rows(), held_out_rows(), **files_of(tiny_base))
        door.wait_for(lambda: job.outcome is not None, START_S + TRAINING_S)
        assert job.outcome is not None
        assert job.outcome.WhichOneof("kind") == "succeeded", job.outcome
        assert "adapter" in job.artifacts
        # It ran there, and by the code that was sent.
        (actor,) = foreign.processes("TrainingP")
        assert not running.processes("TrainingP")
        sent = next((foreign.folder / "ray").glob("session_*/runtime_resources/py_modules_files")).resolve()
        packages = {path.name for path in sent.glob("*/*") if path.is_dir()}
        assert {"workers", "services", "tunesmith"} <= packages
        assert str(sent) in actor.environ().get("PYTHONPATH", "")
    finally:
        running.close()
        door.stop()
