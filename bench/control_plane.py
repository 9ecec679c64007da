"""`python -m bench.control_plane`: how fast the control plane reads and writes, on one machine with its clients.

Reads go through the gateway's public port, as gRPC like the SDKs and as JSON like curl. Reports go through the agents' port and
are answered after the commit.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tunesmith.job.v1 import job_service_pb2, metric_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from bench.load import Latencies, Load, Repeated, run
from bench.plane import ROOT, Plane

SECONDS = 3.0
JOBS = 1000
PAGE_SIZE = 50
IN_FLIGHT = 32
WRITERS = 8
# As MLflow is measured: ten series of a hundred steps.
SERIES = 10
STEPS_A_REPORT = 100
POINTS_A_REPORT = SERIES * STEPS_A_REPORT
FILL_POINTS = 1_000_000

_JOBS = "/tunesmith.job.v1.JobService"
_REPORT = "/tunesmith.worker.v1.WorkerService/Report"


@dataclass(frozen=True)
class Reports:
    """A worker's reports under one lease: `series` of `steps` points each, the steps going on from report to report."""

    job_id: str
    epoch: int
    series: int
    steps: int
    first_sequence: int = 1
    count: int | None = None

    def requests(self) -> Iterator[bytes]:
        sequence = self.first_sequence
        while self.count is None or sequence < self.first_sequence + self.count:
            yield self._report(sequence).SerializeToString()
            sequence += 1

    def _report(self, sequence: int) -> door.ReportRequest:
        first = (sequence - 1) * self.steps + 1
        steps = range(first, first + self.steps)
        now = time.time_ns() // 1_000_000
        report = door.ReportRequest(lease=door.LeaseToken(job_id=self.job_id, epoch=self.epoch), sequence=sequence)
        report.progress.step, report.progress.total_steps = steps[-1], 1_000_000_000
        values, times = [1.0 / step for step in steps], [now] * self.steps
        report.metrics.extend(
            metric_pb2.MetricChunk(key=f"loss/{index}", steps=steps, values=values, times_ms=times)
            for index in range(self.series)
        )
        return report


def get_job(
    plane: Plane, job_ids: Sequence[str], in_flight: int, seconds: float = SECONDS, *, as_json: bool = False
) -> Latencies:
    """GetJob of many jobs in turn, so many calls at once."""
    if as_json:
        bodies = [_http_get(plane.address, f"/v1/jobs/{job_id}") for job_id in job_ids]
    else:
        bodies = [job_service_pb2.GetJobRequest(id=job_id).SerializeToString() for job_id in job_ids]
    load = Load(plane.address, "" if as_json else f"{_JOBS}/GetJob", seconds)
    sources = [Repeated(bodies, index * 97) for index in range(in_flight)]
    return run(load, sources, min(2, in_flight), watched(plane))


def list_jobs(plane: Plane, in_flight: int = 1, seconds: float = SECONDS, *, as_json: bool = False) -> Latencies:
    """The first page of fifty, newest first."""
    body = job_service_pb2.ListJobsRequest(page_size=PAGE_SIZE).SerializeToString()
    load = Load(plane.address, f"{_JOBS}/ListJobs", seconds)
    if as_json:
        load = Load(plane.address, "", seconds)
        body = _http_get(plane.address, f"/v1/jobs?page_size={PAGE_SIZE}")
    return run(load, [Repeated([body])] * in_flight, 1, watched(plane))


def report_batches(plane: Plane, writers: int = 1, seconds: float = SECONDS, count: int | None = None) -> Latencies:
    """Reports of a thousand points, each acknowledged after its commit before the next one leaves."""
    return _report(plane, writers, seconds, SERIES, STEPS_A_REPORT, count)


def report_points(plane: Plane, writers: int = WRITERS, seconds: float = SECONDS) -> Latencies:
    """Reports of one point."""
    return _report(plane, writers, seconds, 1, 1, None)


def watched(plane: Plane) -> dict[str, int]:
    """The processes whose CPU time belongs to a call."""
    return {"services": plane.services.pid, "envoy": plane.gateway.pid}


def _report(plane: Plane, writers: int, seconds: float, series: int, steps: int, count: int | None) -> Latencies:
    plane.create_jobs(writers)
    sources = [Reports(token.job_id, token.epoch, series, steps, count=count) for token in plane.lease(writers)]
    return run(Load(plane.worker_address, _REPORT, seconds), sources, min(2, writers), watched(plane))


def _http_get(address: str, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n".encode()


def read_figures(plane: Plane, job_ids: Sequence[str], seconds: float) -> dict[str, Latencies]:
    """Every reading load once."""
    return {
        "get_job_c1": get_job(plane, job_ids, 1, seconds),
        f"get_job_c{IN_FLIGHT}": get_job(plane, job_ids, IN_FLIGHT, seconds),
        "get_job_json_c1": get_job(plane, job_ids, 1, seconds, as_json=True),
        f"get_job_json_c{IN_FLIGHT}": get_job(plane, job_ids, IN_FLIGHT, seconds, as_json=True),
        f"list_{PAGE_SIZE}_of_{len(job_ids)}_c1": list_jobs(plane, seconds=seconds),
        f"list_{PAGE_SIZE}_of_{len(job_ids)}_json_c1": list_jobs(plane, seconds=seconds, as_json=True),
    }


def report_figures(plane: Plane, seconds: float) -> dict[str, Latencies]:
    """Every writing load once."""
    return {
        f"report_{POINTS_A_REPORT}_points_c1": report_batches(plane, 1, seconds),
        f"report_{POINTS_A_REPORT}_points_c{WRITERS}": report_batches(plane, WRITERS, seconds),
        "report_1_point_c1": report_points(plane, 1, seconds),
        f"report_1_point_c{WRITERS}": report_points(plane, WRITERS, seconds),
    }


def measure(tree: Path, seconds: float, fill_points: int) -> dict[str, object]:
    """Every figure once, the writing ones before and after the store is filled."""
    with Plane(tree) as plane:
        figures = {f"empty.{name}": one for name, one in report_figures(plane, seconds).items()}
        if fill_points:
            figures["fill"] = report_batches(plane, WRITERS, float("inf"), fill_points // POINTS_A_REPORT // WRITERS)
            figures |= {f"filled.{name}": one for name, one in report_figures(plane, seconds).items()}
        figures |= read_figures(plane, plane.create_jobs(JOBS), seconds)
    return {name: asdict(one) for name, one in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tree", type=Path, default=ROOT, help="the checkout whose services are measured")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of one load")
    parser.add_argument("--fill-points", type=int, default=FILL_POINTS)
    arguments = parser.parse_args()
    figures = measure(arguments.tree, arguments.seconds, arguments.fill_points)
    for name, figure in figures.items():
        sys.stdout.write(f"{name:<36} {json.dumps(figure)}\n")


if __name__ == "__main__":
    main()
