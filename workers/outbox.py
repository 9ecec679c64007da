"""What a running job has said and the service has not heard yet."""

import math
import time
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from tunesmith.job.v1 import histogram_pb2, job_event_pb2, job_pb2, metric_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

# The contract's limits on one report, and a size that stays far below a gRPC message's.
MAX_EVENTS = 1000
MAX_SERIES = 1000
MAX_CHUNK_POINTS = 10_000
MAX_REPORT_POINTS = 50_000
MAX_MESSAGE_CHARACTERS = 16_384
MAX_REPORT_HISTOGRAMS = 1000
# A point takes 24 bytes. A door that is away for days must not end a run for want of memory.
MAX_WAITING_POINTS = 2_000_000
# A histogram takes half a kilobyte.
MAX_WAITING_HISTOGRAMS = 50_000

log = structlog.get_logger()


@dataclass
class _Series:
    steps: array = field(default_factory=lambda: array("q"))
    values: array = field(default_factory=lambda: array("d"))
    times_ms: array = field(default_factory=lambda: array("q"))

    def cut(self, count: int, key: str) -> metric_pb2.MetricChunk:
        chunk = metric_pb2.MetricChunk(
            key=key, steps=self.steps[:count], values=self.values[:count], times_ms=self.times_ms[:count]
        )
        del self.steps[:count], self.values[:count], self.times_ms[:count]
        return chunk


class Outbox:
    """Keeps what was said, in order, until it is cut into reports. Its owner keeps threads apart."""

    def __init__(self, max_waiting_points: int = MAX_WAITING_POINTS) -> None:
        self._max_waiting_points = max_waiting_points
        self._progress: worker.Progress | None = None
        self._events: deque[worker.ReportedEvent] = deque()
        self._series: dict[str, _Series] = {}
        self._waiting_points = 0
        self._dropped_points = 0
        self._measured: job_pb2.JobFigures | None = None
        self._histograms: deque[histogram_pb2.WeightHistogram] = deque()
        self._dropped_histograms = 0

    def add_event(self, kind: job_event_pb2.JobEventType, message: str, detail: dict[str, float] | None = None) -> None:
        """One event. Figures that JSON can't hold are left out of its detail."""
        event = worker.ReportedEvent(type=kind, message=_shortened(message))
        finite = {key: value for key, value in (detail or {}).items() if math.isfinite(value)}
        if finite:
            event.detail.update(finite)
        self._events.append(event)

    def set_progress(self, progress: worker.Progress) -> None:
        """How far the job is; only the latest counts."""
        self._progress = progress

    def add_points(self, step: int, values: dict[str, float]) -> None:
        """One point of each series named."""
        now_ms = time.time_ns() // 1_000_000
        for key, value in values.items():
            self._add_point(key, step, value, now_ms)

    def add_histograms(self, histograms: Sequence[histogram_pb2.WeightHistogram]) -> None:
        """Histograms of one step: all of them, or none if too many wait."""
        if len(self._histograms) + len(histograms) > MAX_WAITING_HISTOGRAMS:
            self._dropped_histograms += len(histograms)
        else:
            self._histograms.extend(histograms)

    def add_figures(self, figures: job_pb2.JobFigures) -> None:
        """Figures that became known."""
        if self._measured is None:
            self._measured = job_pb2.JobFigures()
        self._measured.MergeFrom(figures)

    def is_empty(self) -> bool:
        """Whether everything was cut."""
        said = self._progress or self._events or self._series or self._measured or self._histograms
        return not (said or self._dropped_points or self._dropped_histograms)

    def cut(self) -> worker.ReportRequest:
        """Take out as much as one report holds, oldest first. Lease and sequence are the caller's to set."""
        self._confess_drops()
        request = worker.ReportRequest(progress=self._progress, measured=self._measured)
        self._progress = self._measured = None
        while self._events and len(request.events) < MAX_EVENTS:
            request.events.append(self._events.popleft())
        request.metrics.extend(self._cut_series())
        while self._histograms and len(request.histograms) < MAX_REPORT_HISTOGRAMS:
            request.histograms.append(self._histograms.popleft())
        return request

    def _add_point(self, key: str, step: int, value: float, now_ms: int) -> None:
        if self._waiting_points >= self._max_waiting_points:
            self._dropped_points += 1
            return
        series = self._series.setdefault(key, _Series())
        series.steps.append(step)
        series.values.append(value)
        series.times_ms.append(now_ms)
        self._waiting_points += 1

    def _cut_series(self) -> list[metric_pb2.MetricChunk]:
        chunks: list[metric_pb2.MetricChunk] = []
        room = MAX_REPORT_POINTS
        for key in list(self._series)[:MAX_SERIES]:
            series = self._series[key]
            count = min(len(series.steps), MAX_CHUNK_POINTS, room)
            if count == 0:
                break
            chunks.append(series.cut(count, key))
            room -= count
            if not series.steps:
                del self._series[key]
        self._waiting_points -= MAX_REPORT_POINTS - room
        return chunks

    def _confess_drops(self) -> None:
        if self._dropped_points and self._waiting_points < self._max_waiting_points:
            self._confess(self._dropped_points, "metric points", self._max_waiting_points)
            self._dropped_points = 0
        if self._dropped_histograms and len(self._histograms) < MAX_WAITING_HISTOGRAMS:
            self._confess(self._dropped_histograms, "histograms", MAX_WAITING_HISTOGRAMS)
            self._dropped_histograms = 0

    def _confess(self, count: int, what: str, most: int) -> None:
        text = (
            f"{count} {what} are missing: the job service was away while more than {most} waited. The training went on and its "
            "result is whole."
        )
        log.warning(f"{what.replace(' ', '_')}_dropped", count=count)
        self._events.append(worker.ReportedEvent(type=job_event_pb2.JOB_EVENT_TYPE_WARNING, message=text))


def _shortened(message: str) -> str:
    if len(message) <= MAX_MESSAGE_CHARACTERS:
        return message
    return message[: MAX_MESSAGE_CHARACTERS - 1] + "…"
