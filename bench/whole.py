"""All of Tunesmith for the length of a measurement, and jobs sent to it as a client would."""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from bench import family
from bench.recipe import Recipe, alpaca_rows
from bench.record import ROOT
from services.chassis.ids import new_id
from supervisor.probes import free_port

HOST = "127.0.0.1"
START_TIMEOUT_S = 180.0
JOB_TIMEOUT_S = 600.0
LOOK_S = 0.02
_OVER = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")


@dataclass(frozen=True)
class Trained:
    """When a job came to what, in seconds since the epoch by this machine's one clock."""

    created: float
    acknowledged: float
    began: float
    steps: list[float]
    ended: float
    losses: list[float]


class Whole:
    """`python -m supervisor` in a home of its own, with the rows uploaded."""

    def __enter__(self) -> Self:
        # Ray's sockets lie in it, so its name has to be short.
        self._folder = tempfile.TemporaryDirectory(prefix="tsb-")
        self.home = Path(self._folder.name)
        self._port, worker_port = free_port(HOST), free_port(HOST)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TUNESMITH_", "RAY_"))}
        own = {"TUNESMITH_HOME": str(self.home), "TUNESMITH_PORT": str(self._port), "TUNESMITH_WORKER_PORT": str(worker_port)}
        own["TUNESMITH_CATALOG"] = "0"
        with (self.home / "said").open("wb") as said:
            command = [sys.executable, "-m", "supervisor"]
            self._process = subprocess.Popen(command, cwd=ROOT, env=inherited | own, stdout=said, stderr=said)
        try:
            self._wait_for(lambda: b"starter: done" in (self.home / "said").read_bytes())
            uploaded = self.call("POST", "/v1/datasets:upload?filename=rows.json", json.dumps(alpaca_rows()).encode())
            self._dataset_id = uploaded["dataset"]["id"]
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        family.end(self._process)
        self._folder.cleanup()

    @property
    def model(self) -> Path:
        """The base model's folder."""
        return self.home / "starter" / "pico"

    def wait_ready(self) -> None:
        """Return once a warm actor waits for a job."""
        self._wait_for(self.is_ready)

    def wait_unready(self) -> None:
        """Return once the pool says that it has no warm actor."""
        self._wait_for(lambda: not self.is_ready())

    def is_ready(self) -> bool:
        """Whether a warm actor waits for a job."""
        return any(pool["state"] == "POOL_STATE_READY" for pool in self.call("GET", "/v1/pools").get("pools", ()))

    def actor(self) -> psutil.Process:
        """The training actor's process."""
        children = psutil.Process(self._process.pid).children(recursive=True)
        return next(each for each in children if "TrainingProcess" in " ".join(each.cmdline()))

    def train(self, recipe: Recipe) -> Trained:
        """Send a job and follow it to its end. Raises RuntimeError if it does not succeed."""
        request = {
            "request_id": new_id(),
            "provider": "local",
            "display_name": "bench",
            "configuration": recipe.configuration(self._dataset_id),
            "accept_warnings": True,
        }
        body = json.dumps(request).encode()
        created = time.time()
        job_id = self.call("POST", "/v1/jobs", body)["job"]["id"]
        acknowledged = time.time()
        job = self._ended(job_id)
        events = self.call("GET", f"/v1/jobs/{job_id}/events?after_sequence=0")["events"]
        (series,) = self.call("GET", f"/v1/jobs/{job_id}/metrics?key=train_loss")["series"]
        return Trained(
            created,
            acknowledged,
            began=next(_seconds(event["create_time"]) for event in events if event["message"].startswith("Training for")),
            steps=[_seconds(point["time"]) for point in series["points"]],
            ended=_seconds(job["end_time"]),
            losses=[float(point["value"]) for point in series["points"]],
        )

    def call(self, method: str, path: str, body: bytes | None = None) -> Any:
        """A call through the gateway. Raises RuntimeError if it is refused, OSError if nobody listens."""
        connection = http.client.HTTPConnection(HOST, self._port, timeout=30)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            answer = json.loads(response.read() or b"null")
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"{method} {path} was answered with {response.status}: {answer}")
        return answer

    def _ended(self, job_id: str) -> Any:
        end = time.monotonic() + JOB_TIMEOUT_S
        while (job := self.call("GET", f"/v1/jobs/{job_id}")["job"])["state"] not in _OVER:
            if time.monotonic() > end:
                raise RuntimeError(f"the job did not end within {JOB_TIMEOUT_S:g} s")
            # Rarely: looking takes time from what is measured.
            time.sleep(0.25)
        if job["state"] != "JOB_STATE_SUCCEEDED":
            raise RuntimeError(f"the job ended as {job['state']}: {job.get('error')}")
        return job

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                if condition():
                    return
            except (OSError, RuntimeError, ValueError):
                pass
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError(f"the stack did not start:\n{(self.home / 'said').read_text(errors='replace')[-2000:]}")
            time.sleep(LOOK_S)


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
