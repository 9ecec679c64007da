"""What `python -m supervisor` refuses before it starts anything, and what it must not load."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.home import open_home
from supervisor.lock import HomeTakenError, held
from supervisor.probes import free_port

ROOT = Path(__file__).parents[3]


def run(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TUNESMITH_")}
    return subprocess.run(
        [sys.executable, "-m", "supervisor"],
        cwd=ROOT,
        env=clean | {"TUNESMITH_HOME": str(home), "TMPDIR": str(home)} | environment,
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.fixture
def taken_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_second_run_on_a_home_names_the_first(tmp_path: Path) -> None:
    with held(open_home(tmp_path).lock):
        refused = run(tmp_path)
    assert refused.returncode == 1
    assert f"process {os.getpid()}" in refused.stderr
    assert "TUNESMITH_HOME" in refused.stderr


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    for _ in range(2):
        with held(home.lock), pytest.raises(HomeTakenError), held(home.lock):
            raise AssertionError("two held it")


@pytest.mark.parametrize("setting", ["TUNESMITH_PORT", "TUNESMITH_WORKER_PORT"])
def test_a_taken_port_names_its_setting(tmp_path: Path, taken_port: int, setting: str) -> None:
    # The defaults may be taken too, by a stack of whoever runs the tests.
    free = {"TUNESMITH_PORT": str(free_port("127.0.0.1")), "TUNESMITH_WORKER_PORT": str(free_port("127.0.0.1"))}
    refused = run(tmp_path, **free | {setting: str(taken_port)})
    assert refused.returncode == 1
    assert f"Port {taken_port} of 127.0.0.1 is in use" in refused.stderr
    assert setting in refused.stderr


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"TUNESMITH_PORT": "many"}, "TUNESMITH_PORT=many"),
        ({"TUNESMITH_PORT": "70000"}, "TUNESMITH_PORT=70000"),
        ({"TUNESMITH_PORT": "9001", "TUNESMITH_WORKER_PORT": "9001"}, "both 9001"),
        ({"TUNESMITH_PORT": "0"}, "TUNESMITH_PORT=0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path, environment: dict[str, str], says: str) -> None:
    refused = run(tmp_path, **environment)
    assert refused.returncode == 1
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_wrong_host_name_is_refused_before_anything_starts(tmp_path: Path) -> None:
    refused = run(tmp_path, TUNESMITH_ALLOWED_HOSTS="https://x", TUNESMITH_PORT="39871", TUNESMITH_WORKER_PORT="39872")
    assert refused.returncode == 1
    assert "TUNESMITH_ALLOWED_HOSTS" in refused.stderr
    assert "started" not in refused.stdout


def test_a_process_that_forks_has_no_grpc_loaded() -> None:
    program = "import sys, supervisor.__main__; print('grpc' in sys.modules, 'ray' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout == "False False\n"
