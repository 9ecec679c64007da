"""Rows to protos: the only place where the two meet."""

from collections.abc import Iterable
from itertools import groupby
from typing import cast

from google.protobuf.struct_pb2 import Struct
from sqlalchemy import RowMapping
from tunesmith.job.v1 import artifact_pb2, job_event_pb2, job_pb2, job_state_pb2, metric_pb2
from tunesmith.pool.v1 import pool_pb2

from services.chassis.database import timestamp
from services.job import domain
from services.job.thinning import Columns

Row = RowMapping

_OPTIONAL_COLUMNS = ("step", "total_steps", "epoch", "estimated_remaining_seconds", "provider_job_id", "pool_id")
_PLAIN_COLUMNS = ("id", "project", "owner", "display_name", "provider", "schema_version", "attempt", "pause_requested")


def state_of(row: Row) -> domain.JobState:
    """The state in a row."""
    return cast(domain.JobState, job_state_pb2.JobState.Value(row["state"]))


def job(row: Row) -> job_pb2.Job:
    """A Job as it stands."""
    return _standing(row, job_pb2.Job.FromString(row["definition"]))


def basic_job(row: Row) -> job_pb2.Job:
    """A Job as it stands, with what JOB_VIEW_BASIC has. The row needs no definition."""
    return _standing(row, job_pb2.Job())


def _standing(row: Row, message: job_pb2.Job) -> job_pb2.Job:
    for column in _PLAIN_COLUMNS:
        setattr(message, column, row[column])
    for column in _OPTIONAL_COLUMNS:
        if row[column] is not None:
            setattr(message, column, row[column])
    message.state = state_of(row)
    message.progress = _progress(row)
    if row["error"] is not None:
        message.error.ParseFromString(row["error"])
    if row["error_fix"] is not None:
        message.error_fix.ParseFromString(row["error_fix"])
    if row["predicted"] is not None:
        message.predicted.ParseFromString(row["predicted"])
    if row["measured"] is not None:
        message.measured.ParseFromString(row["measured"])
    for name in ("create_time", "start_time", "end_time", "update_time"):
        if row[f"{name}_ms"] is not None:
            getattr(message, name).CopyFrom(timestamp(row[f"{name}_ms"]))
    return message


def event(row: Row) -> job_event_pb2.JobEvent:
    """A JobEvent."""
    message = job_event_pb2.JobEvent(
        sequence=row["sequence"],
        type=row["type"],
        message=row["message"],
        state=state_of(row),
        attempt=row["attempt"],
        create_time=timestamp(row["create_time_ms"]),
    )
    if row["detail"] is not None:
        message.detail.CopyFrom(Struct.FromString(row["detail"]))
    return message


def chunk(row: Row) -> metric_pb2.MetricChunk:
    """A MetricChunk."""
    return metric_pb2.MetricChunk.FromString(row["chunk"])


def series(chunks: Iterable[metric_pb2.MetricChunk], after_step: int | None = None) -> list[metric_pb2.MetricSeries]:
    """Metric chunks as series. Of two points of one step the one reported later stands: a resumed attempt replaces what it
    trains again."""
    by_key: dict[str, dict[int, tuple[float, int]]] = {}
    for each in chunks:
        points = by_key.setdefault(each.key, {})
        for step, value, time_ms in zip(each.steps, each.values, each.times_ms, strict=True):
            if after_step is None or step > after_step:
                points[step] = (value, time_ms)
    return [_one_series(key, ((step, *by_key[key][step]) for step in sorted(by_key[key]))) for key in sorted(by_key)]


def thinned_series(rows: Iterable[Row], most: int, after_step: int | None = None) -> list[metric_pb2.MetricSeries]:
    """As `series`, with at most so many points each. The rows of a series come one after the other."""
    answer = []
    for key, own in groupby(rows, lambda row: row["key"]):
        # Encoded messages in a row are one message with all their columns. A long job has a hundred thousand chunks.
        chunk = metric_pb2.MetricChunk.FromString(b"".join(row["chunk"] for row in own))
        answer.append(_one_series(key, Columns(chunk).thinned(most, after_step)))
    return sorted(answer, key=lambda each: each.key)


def artifact(row: Row) -> artifact_pb2.Artifact:
    """An Artifact."""
    return artifact_pb2.Artifact(
        id=row["id"],
        job_id=row["job_id"],
        set_id=row["set_id"],
        kind=row["kind"],
        path=row["path"],
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        uri=f"/v1/jobs/{row['job_id']}/artifacts/{row['id']}:download",
        step=row["step"],
        create_time=timestamp(row["create_time_ms"]),
    )


def pool(row: Row, running_job_count: int, *, lost: bool) -> pool_pb2.Pool:
    """A Pool as it stands."""
    message = pool_pb2.Pool.FromString(row["definition"])
    message.id = row["id"]
    message.state = pool_pb2.POOL_STATE_READY if row["ready"] else pool_pb2.POOL_STATE_STARTING
    if lost:
        message.state = pool_pb2.POOL_STATE_LOST
    message.running_job_count = running_job_count
    message.create_time.CopyFrom(timestamp(row["create_time_ms"]))
    message.last_seen_time.CopyFrom(timestamp(row["last_seen_ms"]))
    return message


def _progress(row: Row) -> float:
    if state_of(row) == domain.SUCCEEDED:
        return 1.0
    return min(1.0, row["step"] / row["total_steps"]) if row["step"] and row["total_steps"] else 0.0


def _one_series(key: str, points: Iterable[tuple[int, float, int]]) -> metric_pb2.MetricSeries:
    message = metric_pb2.MetricSeries(key=key)
    for step, value, time_ms in points:
        message.points.add(step=step, value=value, time=timestamp(time_ms))
    return message
