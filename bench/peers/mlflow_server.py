"""MLflow's tracking server on loopback with a SQLite store, as its users start it, and its official client beside it."""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import family
from bench.peers.installed import ROOT
from supervisor.probes import free_port

HOST = "127.0.0.1"
CLIENT = ROOT / "bench" / "peers" / "mlflow_client.py"
START_TIMEOUT_S = 180.0
ANSWER_TIMEOUT_S = 300.0
POLL_S = 0.1
# Nothing is sent anywhere, and the client does not look for a newer release.
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


class Mlflow:
    """A running server, and a client process that measures it."""

    def __init__(self, url: str, client: subprocess.Popen[bytes]) -> None:
        self._url = url
        self._client = client

    def load(self, name: str, count: int, seconds: float) -> dict[str, float]:
        """One load of the client's, with so many clients at once."""
        assert self._client.stdin is not None and self._client.stdout is not None
        self._client.stdin.write(json.dumps({"load": name, "count": count, "seconds": seconds}).encode() + b"\n")
        self._client.stdin.flush()
        ready, _, _ = select.select([self._client.stdout], [], [], ANSWER_TIMEOUT_S + seconds)
        answer = json.loads(self._client.stdout.readline() or b"null") if ready else None
        if answer is None:
            raise RuntimeError(f"MLflow's client did not answer to {name}")
        if "error" in answer:
            raise RuntimeError(f"{name}: {answer['error']}")
        return {key: float(value) for key, value in answer.items()}


@contextmanager
def mlflow(python: Path, store: Path, workers: int | None) -> Iterator[Mlflow]:
    """Serve a store, with MLflow's own number of workers unless one is given."""
    port = free_port(HOST)
    url = f"http://{HOST}:{port}"
    command = [str(python), "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{store}", "--host", HOST]
    command += ["--port", str(port), "--default-artifact-root", str(store.parent / "artifacts")]
    if workers is not None:
        command += ["--workers", str(workers)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")} | _QUIET
    said = store.with_suffix(".log")
    with said.open("wb") as log:
        server = subprocess.Popen(command, cwd=store.parent, env=environment, stdout=log, stderr=log)
        client = None
        try:
            _wait(f"{url}/api/2.0/mlflow/experiments/get?experiment_id=0", server, said)
            client = subprocess.Popen(
                [python, CLIENT, url], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
            yield Mlflow(url, client)
        finally:
            for process in filter(None, (client, server)):
                family.end(process)


@contextmanager
def filled_store(python: Path, runs: int) -> Iterator[Path]:
    """A store with so many runs in it, to be copied by each server."""
    with tempfile.TemporaryDirectory(prefix="tsb-mlflow-") as folder:
        store = Path(folder) / "filled" / "store.db"
        store.parent.mkdir()
        # One worker fills a store four times as fast as the default four.
        with mlflow(python, store, workers=1) as server:
            server.load("fill", runs, 0.0)
        yield store


@contextmanager
def mlflow_on_copy(python: Path, filled: Path, name: str, workers: int | None) -> Iterator[Mlflow]:
    """Serve a copy of a filled store."""
    store = filled.parents[1] / name / filled.name
    store.parent.mkdir()
    shutil.copy(filled, store)
    with mlflow(python, store, workers) as server:
        yield server


def _wait(url: str, server: subprocess.Popen[bytes], said: Path) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while not _answers(url):
        if time.monotonic() > end or server.poll() is not None:
            raise RuntimeError(f"MLflow did not start:\n{said.read_text(errors='replace')[-2000:]}")
        time.sleep(POLL_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
