"""What the console costs a browser: its first load, its longest list, and how soon a reported point is on screen.

The browser is a headless Chromium on the same machine, driven by the programs in `bench/browser`; it draws without a GPU.
"""

import json
import statistics
import subprocess
import time
from collections.abc import Sequence
from typing import Any

import grpc
from tunesmith.job.v1 import metric_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door
from tunesmith.worker.v1.worker_service_pb2_grpc import WorkerServiceStub

from bench.plane import Plane
from bench.record import ROOT

NODE = ROOT / ".venv/bin/node"
# A point every so often, not in step with anything that looks at regular times.
INTERVAL_S = 0.217
JOBS = 10_000
PAGES = {"jobs": "/jobs", "job": "/jobs/{job_id}", "new_job": "/jobs/new", "datasets": "/datasets"}


def first_load(plane: Plane, job_id: str) -> dict[str, float]:
    """The compressed JavaScript that each page loads with an empty cache, and how soon it shows."""
    paths = {name: path.format(job_id=job_id) for name, path in PAGES.items()}
    found = json.loads(_run("first_load", f"http://{plane.address}", *paths.values()))
    values: dict[str, float] = {}
    for name, path in paths.items():
        values[f"{name}_js_kb"] = found[path]["js_bytes"] / 1000
        values[f"{name}_shown_ms"] = found[path]["shown_ms"]
    return values | {"largest_js_kb": max(value for name, value in values.items() if name.endswith("_js_kb"))}


def scroll(plane: Plane, jobs: int) -> dict[str, float]:
    """Times between frames while the whole list is scrolled through."""
    found = json.loads(_run("scroll", f"http://{plane.address}", str(jobs)))
    values = {"rows_count": float(found["rows"])}
    for name in ("loading", "loaded"):
        values |= {f"{name}_p50_ms": statistics.median(found[name]), f"{name}_p95_ms": percentile(found[name], 95)}
    return values


def on_screen(plane: Plane, points: int) -> dict[str, float]:
    """Milliseconds from a worker's report of a point until the browser has painted its loss."""
    plane.create_jobs(1)
    token = plane.lease(1)[0]
    command = [str(NODE), "bench/browser/on_screen.mts", f"http://{plane.address}", token.job_id, str(points)]
    with (
        grpc.insecure_channel(plane.worker_address) as channel,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as browser,
    ):
        try:
            assert browser.stdout is not None
            worker = WorkerServiceStub(channel)
            _report(worker, token, 1, 9.0)
            if browser.stdout.readline().strip() != "ready":
                raise RuntimeError("the job's page did not show")
            sent = {}
            for index in range(points):
                # Values that are told apart by the four digits the page shows.
                value = round(1.001 + index / 1000, 3)
                sent[value] = time.time()
                _report(worker, token, index + 2, value)
                time.sleep(INTERVAL_S)
            seen = dict(json.loads(browser.stdout.readline()))
        finally:
            browser.terminate()
    seen = {float(value): at for value, at in seen.items()}
    late = [seen[value] - at * 1000 for value, at in sent.items() if value in seen]
    if len(late) < points:
        raise RuntimeError(f"{points - len(late)} of {points} points were never on screen")
    return {"p50_ms": statistics.median(late), "p95_ms": percentile(late, 95), "most_ms": max(late)}


def percentile(values: Sequence[float], share: int) -> float:
    """The value that so many in a hundred do not exceed."""
    return sorted(values)[max(0, -(-len(values) * share // 100) - 1)]


def _report(worker: WorkerServiceStub, token: door.LeaseToken, sequence: int, loss: float) -> None:
    report = door.ReportRequest(lease=token, sequence=sequence)
    report.progress.step, report.progress.total_steps = sequence, 1_000
    report.metrics.append(
        metric_pb2.MetricChunk(key="train_loss", steps=[sequence], values=[loss], times_ms=[time.time_ns() // 1_000_000])
    )
    worker.Report(report)


def _run(program: str, *arguments: str) -> Any:
    command = [str(NODE), f"bench/browser/{program}.mts", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=900).stdout
