"""How long `make up` takes, what it holds at idle, what an upload adds, and what SIGTERM leaves.

Memory is PSS: a page that several processes share counts once in all. Peaks are the highest of samples taken ten times a second.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from supervisor.probes import free_port

MIB = 1024**2
SAMPLE_S = 0.1
SETTLE_S = 10.0
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
ROW = json.dumps({"text": "the quick brown fox jumps over the lazy dog " * 23}).encode() + b"\n"
PARTS = {"services": "services", "envoy": "gateway", "workers.agent": "agent", "ray::": "actor", "ray": "ray"}


def measure(home: Path, upload_mib: int) -> dict[str, float]:
    """Start a stack, measure it, end it."""
    port, worker_port = free_port("127.0.0.1"), free_port("127.0.0.1")
    environment = os.environ | {
        "TUNESMITH_HOME": str(home),
        "TUNESMITH_PORT": str(port),
        "TUNESMITH_WORKER_PORT": str(worker_port),
        "TUNESMITH_CATALOG": "0",
    }
    base = f"http://127.0.0.1:{port}"
    begin = time.monotonic()
    command = [sys.executable, "-m", "supervisor"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as supervisor:
        try:
            figures: dict[str, float] = {"healthy_s": _wait(lambda: _get(f"{base}/healthz") is not None, begin)}
            figures["pool_ready_s"] = _wait(lambda: b"POOL_STATE_READY" in (_get(f"{base}/v1/pools") or b""), begin)
            time.sleep(SETTLE_S)
            idle = _memory(supervisor.pid)
            figures["idle_pss_mib"] = _mib(sum(idle.values()))
            figures |= {f"idle_pss_{part}_mib": _mib(value) for part, value in sorted(idle.items())}
            figures |= _upload(supervisor.pid, port, upload_mib, idle)
            family = psutil.Process(supervisor.pid).children(recursive=True)
        finally:
            stop = time.monotonic()
            supervisor.send_signal(signal.SIGTERM)
            supervisor.wait(STOP_TIMEOUT_S)
    figures["stop_s"] = round(time.monotonic() - stop, 2)
    figures["processes_left_count"] = sum(process.is_running() for process in family)
    return figures


def _upload(root: int, port: int, size_mib: int, idle: dict[str, int]) -> dict[str, float]:
    """Post a file of rows while memory is sampled."""
    peak: dict[str, int] = dict(idle)
    done = threading.Event()

    def sample() -> None:
        while not done.wait(SAMPLE_S):
            for part, value in _memory(root).items():
                peak[part] = max(peak.get(part, 0), value)

    sampler = threading.Thread(target=sample)
    sampler.start()
    size = size_mib * MIB // len(ROW) * len(ROW)
    begin = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", "/v1/datasets:upload?filename=bench.jsonl", _rows(size), {"content-length": str(size)})
    response = connection.getresponse()
    answer = json.loads(response.read())
    seconds = time.monotonic() - begin
    done.set()
    sampler.join()
    if response.status != 200 or int(answer["dataset"]["row_count"]) != size // len(ROW):
        raise RuntimeError(f"the upload failed: {answer}")
    return {
        "upload_mib_per_s": round(size / MIB / seconds, 1),
        "upload_services_above_idle_mib": _mib(peak["services"] - idle["services"]),
        "upload_gateway_above_idle_mib": _mib(peak["gateway"] - idle["gateway"]),
    }


def _rows(size: int) -> Iterator[bytes]:
    block = ROW * (MIB // len(ROW))
    while size > 0:
        piece = block[: min(size, len(block))]
        yield piece
        size -= len(piece)


def _memory(root: int) -> dict[str, int]:
    """PSS of each part below a process, in bytes."""
    parts: dict[str, int] = {"supervisor": psutil.Process(root).memory_full_info().pss}
    for process in psutil.Process(root).children(recursive=True):
        try:
            command = " ".join(process.cmdline())
            part = next((part for mark, part in PARTS.items() if mark in command), "other")
            parts[part] = parts.get(part, 0) + process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return parts


def _wait(condition: Callable[[], bool], begin: float) -> float:
    """Seconds from `begin` until a condition holds."""
    while not condition():
        if time.monotonic() - begin > START_TIMEOUT_S:
            raise TimeoutError(f"not within {START_TIMEOUT_S} s")
        time.sleep(SAMPLE_S)
    return round(time.monotonic() - begin, 2)


def _get(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bytes(response.read())
    except (urllib.error.URLError, OSError):
        return None


def _mib(value: int) -> float:
    return round(value / MIB, 1)
