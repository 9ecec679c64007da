"""How peers are found, and how their output is read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import family, plain
from bench.peers import installed
from bench.plain_recipe import MARK


def test_what_the_script_told_is_in_seconds_from_the_beginning() -> None:
    told = {"imported": 104.5, "began": 105.0, "steps": [106.0, 106.5], "saved": 107.25, "losses": [3.0, 2.0]}
    run = plain.read(f"Ray says\n{MARK}{json.dumps(told)}\nnoise\n", 100.0, 8.0)
    assert (run.imported, run.began, run.steps, run.saved, run.ended) == (4.5, 5.0, [6.0, 6.5], 7.25, 8.0)


def test_a_script_that_never_got_there_is_an_error_with_its_output() -> None:
    with pytest.raises(RuntimeError, match=r"did not come to its end:\nLoading\nKilled"):
        plain.read("Loading\nKilled", 0.0, 1.0)


def test_a_peer_that_is_not_installed_has_no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "FOLDER", tmp_path)
    assert installed.python_of("mlflow") is None


def test_an_environment_without_the_peer_in_it_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An installation that broke off leaves a Python behind.
    python = tmp_path / "no-such-peer" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    monkeypatch.setattr(installed, "FOLDER", tmp_path)
    assert installed.python_of("no-such-peer") is None


def test_versions_are_read_from_the_other_environment() -> None:
    assert installed.version_of("grpcio", Path(sys.executable))
    assert installed.version_of("no-such-peer", Path(sys.executable)) == ""


def test_what_a_process_has_started_ends_with_it() -> None:
    # The child takes no notice of SIGTERM and outlives its parent, as a worker of somebody's server may.
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(300)"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]).wait()"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        family.end(process)
        # The pipe closes when the last that holds it is gone.
        assert process.stdout.read() == b""
        assert process.returncode != 0
