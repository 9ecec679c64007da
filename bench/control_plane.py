"""How fast the control plane reads and writes, on one machine with its clients.

Reads go through the gateway's public port, as gRPC like the SDKs and as JSON like curl. Reports go through the agents' port and
are answered after the commit.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tunesmith.job.v1 import job_service_pb2, metric_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from bench.load import Latencies, Load, Repeated, run
from bench.plane import Plane

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


def get_job(plane: Plane, job_ids: Sequence[str], in_flight: int, seconds: float, *, as_json: bool = False) -> Latencies:
    """GetJob of many jobs in turn, so many calls at once."""
    if as_json:
        bodies = [_http_get(plane.address, f"/v1/jobs/{job_id}") for job_id in job_ids]
    else:
        bodies = [job_service_pb2.GetJobRequest(id=job_id).SerializeToString() for job_id in job_ids]
    load = Load(plane.address, "" if as_json else f"{_JOBS}/GetJob", seconds)
    sources = [Repeated(bodies, index * 97) for index in range(in_flight)]
    return run(load, sources, min(2, in_flight), watched(plane))


def list_jobs(plane: Plane, seconds: float) -> Latencies:
    """The first page of fifty, newest first."""
    body = job_service_pb2.ListJobsRequest(page_size=PAGE_SIZE).SerializeToString()
    return run(Load(plane.address, f"{_JOBS}/ListJobs", seconds), [Repeated([body])], 1, watched(plane))


def report_batches(plane: Plane, writers: int, seconds: float, count: int | None = None) -> Latencies:
    """Reports of a thousand points, each acknowledged after its commit before the next one leaves."""
    return _report(plane, writers, seconds, SERIES, STEPS_A_REPORT, count)


def report_points(plane: Plane, writers: int, seconds: float) -> Latencies:
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
