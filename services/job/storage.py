"""The job service's tables, and the questions it asks of them."""

from collections.abc import Generator, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    func,
    or_,
    select,
    update,
)
from tunesmith.job.v1 import artifact_pb2
from tunesmith.job.v1.artifact_pb2 import ArtifactKind
from tunesmith.pool.v1 import pool_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.database import clock_ms
from services.chassis.errors import NotFound
from services.chassis.idempotency import request_table
from services.job.domain import LEASED, QUEUED, name_of

Rows = Generator[RowMapping, None, None]

# A chunk has ten thousand points at most, and mostly a few.
CHUNKS_A_FETCH = 100

metadata = MetaData()

_TRAINING_STATE = ArtifactKind.Name(artifact_pb2.ARTIFACT_KIND_TRAINING_STATE)

jobs = Table(
    "job_jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("display_name", String(128), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("provider_job_id", String(256)),
    Column("state", String(32), nullable=False),
    # A Job with what never changes and JOB_VIEW_BASIC leaves out: both configurations and the lowering.
    Column("definition", LargeBinary, nullable=False),
    # An Assignment with the base model and datasets as they were when the job was created, so that leasing asks nobody.
    Column("inputs", LargeBinary, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("error", LargeBinary),
    # A Fix: with what changes it should succeed.
    Column("error_fix", LargeBinary),
    # Where a person wants it to go on while it has no training state of its own: a job's id, a slash, and the name of a set of
    # its artifacts. By name, since a later attempt's set takes an earlier one's place.
    Column("resume_from", String(128)),
    # JobFigures, both.
    Column("predicted", LargeBinary),
    Column("measured", LargeBinary),
    Column("step", BigInteger),
    Column("total_steps", BigInteger),
    Column("epoch", Float),
    Column("estimated_remaining_seconds", Float),
    Column("attempt", Integer, nullable=False),
    Column("lost_attempts", Integer, nullable=False),
    Column("pause_requested", Boolean, nullable=False),
    Column("pool_id", String(36)),
    # Each lease has a higher epoch than the one before; a write that carries another is refused.
    Column("lease_epoch", BigInteger, nullable=False),
    Column("lease_expires_ms", BigInteger),
    # The last report of this attempt that was applied.
    Column("report_sequence", BigInteger, nullable=False),
    Column("event_sequence", BigInteger, nullable=False),
    Column("create_time_ms", BigInteger, nullable=False),
    Column("start_time_ms", BigInteger),
    Column("end_time_ms", BigInteger),
    Column("update_time_ms", BigInteger, nullable=False),
    # Raised with each change that a Job shows, over all jobs of its project: writes happen one after another, so who has seen a
    # number has seen all below it. No job has 0, which asks for the present.
    Column("change_number", BigInteger, nullable=False, server_default="1"),
    Index("job_jobs_by_change", "project", "change_number"),
    Index("job_jobs_by_state", "state", "id"),
    Index("job_jobs_by_project", "project", "id"),
)

events = Table(
    "job_events",
    metadata,
    Column("job_id", String(36), ForeignKey("job_jobs.id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("type", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("state", String(32), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("detail", LargeBinary),
    Column("create_time_ms", BigInteger, nullable=False),
)

# Points are stored as they were reported, many a row: one row a point is what makes other trackers slow.
metric_chunks = Table(
    "job_metric_chunks",
    metadata,
    Column("cursor", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("job_id", String(36), ForeignKey("job_jobs.id"), nullable=False),
    Column("key", String(128), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("report_sequence", BigInteger, nullable=False),
    Column("chunk", LargeBinary, nullable=False),
    Index("job_metric_chunks_by_job", "job_id", "key", "cursor"),
    Index("job_metric_chunks_by_cursor", "job_id", "cursor"),
    sqlite_autoincrement=True,
)

histograms = Table(
    "job_histograms",
    metadata,
    Column("job_id", String(36), ForeignKey("job_jobs.id"), primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("layer", String(256), primary_key=True),
    # A WeightHistogram.
    Column("histogram", LargeBinary, nullable=False),
)

artifacts = Table(
    "job_artifacts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("job_id", String(36), ForeignKey("job_jobs.id"), nullable=False),
    Column("set_id", String(36), nullable=False),
    Column("set_name", String(64), nullable=False),
    # The lease it was stored under: a later attempt's set takes the place of an earlier one's.
    Column("lease_epoch", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("path", String(512), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("create_time_ms", BigInteger, nullable=False),
    UniqueConstraint("job_id", "path"),
    Index("job_artifacts_by_set", "set_id"),
)

pools = Table(
    "job_pools",
    metadata,
    Column("id", String(36), primary_key=True),
    # A Pool with what its agent said of it.
    Column("definition", LargeBinary, nullable=False),
    Column("ready", Boolean, nullable=False),
    # The start of its agent that registered it last; empty if the agent does not say.
    Column("instance_id", String(64), nullable=False, server_default=""),
    Column("create_time_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
)

# What was expected and what was seen, a row for each job that succeeded and had both, so that the latest are found at once.
residuals = Table(
    "job_residuals",
    metadata,
    Column("job_id", String(36), ForeignKey("job_jobs.id"), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("end_time_ms", BigInteger, nullable=False),
    # A Residual.
    Column("residual", LargeBinary, nullable=False),
    Index("job_residuals_by_time", "project", "end_time_ms"),
    Index("job_residuals_by_provider", "project", "provider", "end_time_ms"),
)

requests = request_table(metadata, "job")

# What a list of jobs needs of a row.
FULL_COLUMNS = [column for column in jobs.c if column is not jobs.c.inputs]
BASIC_COLUMNS = [column for column in FULL_COLUMNS if column is not jobs.c.definition]

# Statements of every call are built once: building one takes longer than SQLite takes to run it.
_FIND_JOB = select(jobs).where(jobs.c.id == bindparam("job_id"))
_UPDATE_JOB = update(jobs).where(jobs.c.id == bindparam("job_id"))
_OTHERS = jobs.alias()
# What an update sets besides its own columns when a Job shows them.
_CHANGED = {
    "update_time_ms": clock_ms(),
    "change_number": select(func.max(_OTHERS.c.change_number) + 1)
    .where(_OTHERS.c.project == jobs.c.project)
    .correlate(jobs)
    .scalar_subquery(),
}
_TAKE_REPORT = (
    _UPDATE_JOB.where(
        jobs.c.lease_epoch == bindparam("held_epoch"),
        jobs.c.report_sequence == bindparam("sequence_before"),
        or_(*(jobs.c.state == name_of(state) for state in LEASED)),
    )
    .values(report_sequence=jobs.c.report_sequence + 1, lease_expires_ms=clock_ms() + bindparam("lease_ms"))
    .returning(jobs.c.state, jobs.c.attempt, jobs.c.pause_requested, jobs.c.measured)
)
_TAKE_SHOWN_REPORT = _TAKE_REPORT.values(**_CHANGED)
_NUMBER_EVENTS = _UPDATE_JOB.values(event_sequence=jobs.c.event_sequence + bindparam("added"), **_CHANGED).returning(
    jobs.c.event_sequence, jobs.c.state, jobs.c.attempt, jobs.c.update_time_ms
)
_NEWEST_CHANGE = select(func.max(jobs.c.change_number)).where(jobs.c.project == bindparam("of_project"))
_CHANGED_AFTER = (
    select(*BASIC_COLUMNS)
    .where(jobs.c.project == bindparam("of_project"), jobs.c.change_number > bindparam("after"))
    .order_by(jobs.c.change_number)
    .limit(bindparam("most"))
)
_ADD_EVENTS = events.insert().inline()
_ADD_CHUNKS = metric_chunks.insert().inline()
_EVENTS_AFTER = (
    select(events)
    .where(events.c.job_id == bindparam("job_id"), events.c.sequence > bindparam("after"))
    .order_by(events.c.sequence)
    .limit(bindparam("most"))
)
# Series by group of layers have a slash in their keys: nobody watches a hundred curves at once.
_IS_WATCHED = metric_chunks.c.key.not_like("%/%")
_CHUNKS_AFTER = (
    select(metric_chunks)
    .where(metric_chunks.c.job_id == bindparam("job_id"), metric_chunks.c.cursor > bindparam("after"), _IS_WATCHED)
    .order_by(metric_chunks.c.cursor)
)
_NEWEST_CURSOR = select(func.max(metric_chunks.c.cursor)).where(metric_chunks.c.job_id == bindparam("job_id"))
_CHUNKS_BY_KEY = (
    select(metric_chunks.c.key, metric_chunks.c.chunk)
    .where(metric_chunks.c.job_id == bindparam("job_id"))
    .order_by(metric_chunks.c.key, metric_chunks.c.cursor)
)
_WATCHED_CHUNKS_BY_KEY = _CHUNKS_BY_KEY.where(_IS_WATCHED)
_CHUNKS_OF_KEY = _CHUNKS_BY_KEY.where(metric_chunks.c.key == bindparam("of_key"))


def find_job(connection: Connection, job_id: str) -> RowMapping:
    """One job's row. Raises NotFound."""
    row = connection.execute(_FIND_JOB, {"job_id": job_id}).mappings().one_or_none()
    if row is None:
        raise _no_such_job(job_id)
    return row


def update_job(connection: Connection, job_id: str, **changes: Any) -> None:
    """Change columns of one job."""
    connection.execute(_UPDATE_JOB, {"job_id": job_id, **changes})


def take_report(
    connection: Connection, lease: door.LeaseToken, sequence: int, lease_ms: int, *, shown: bool, **changes: Any
) -> RowMapping | None:
    """Count a report as its job's next one, put off the lease's expiry, and change columns; `shown` if a Job shows them.

    Answers state, attempt, pause_requested and measured. None, and nothing is changed, if the lease is lost or another report is
    the next one.
    """
    values = {"job_id": lease.job_id, "held_epoch": lease.epoch, "sequence_before": sequence - 1, "lease_ms": lease_ms}
    statement = _TAKE_SHOWN_REPORT if shown else _TAKE_REPORT
    return connection.execute(statement, values | changes).mappings().one_or_none()


def number_events(connection: Connection, job_id: str, count: int) -> RowMapping:
    """Set sequences apart for events to come; answers event_sequence, the last of them, and state, attempt, update_time_ms.

    Raises NotFound.
    """
    row = connection.execute(_NUMBER_EVENTS, {"job_id": job_id, "added": count}).mappings().one_or_none()
    if row is None:
        raise _no_such_job(job_id)
    return row


def add_events(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Store numbered events."""
    connection.execute(_ADD_EVENTS, rows)


def add_chunks(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Store metric chunks; their cursors follow on those of the chunks before."""
    connection.execute(_ADD_CHUNKS, rows)


def newest_change(connection: Connection, project: str) -> int:
    """The number of a project's last change."""
    return connection.execute(_NEWEST_CHANGE, {"of_project": project}).scalar_one() or 1


def changed_after(connection: Connection, project: str, number: int, limit: int) -> Sequence[RowMapping]:
    """Jobs that changed after a number, in the order of their changes, as BASIC_COLUMNS."""
    values = {"of_project": project, "after": number, "most": limit}
    return connection.execute(_CHANGED_AFTER, values).mappings().all()


def queued(connection: Connection, providers: Sequence[str], after: str, limit: int) -> Sequence[str]:
    """Ids of jobs that wait for one of these providers, the one that has waited longest first, after one of them."""
    query = select(jobs.c.id).where(jobs.c.state == name_of(QUEUED), jobs.c.provider.in_(providers), jobs.c.id > after)
    return connection.execute(query.order_by(jobs.c.id).limit(limit)).scalars().all()


def definition_of(connection: Connection, job_id: str) -> bytes:
    """What a job is, serialised."""
    definition: bytes = connection.execute(select(jobs.c.definition).where(jobs.c.id == job_id)).scalar_one()
    return definition


def take_queued(connection: Connection, job_id: str) -> RowMapping | None:
    """A job that waits, for whoever gets it now; None if somebody else has it already."""
    query = select(jobs).where(jobs.c.id == job_id, jobs.c.state == name_of(QUEUED))
    if connection.dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True)
    return connection.execute(query).mappings().one_or_none()


def expired_leases(connection: Connection, now_ms: int) -> Sequence[RowMapping]:
    """Jobs whose worker has not been heard of in time."""
    leased = [name_of(state) for state in LEASED]
    query = select(jobs).where(jobs.c.state.in_(leased), jobs.c.lease_expires_ms < now_ms)
    return connection.execute(query).mappings().all()


def leased_by(connection: Connection, pool_id: str) -> Sequence[RowMapping]:
    """Jobs that a pool works on."""
    leased = [name_of(state) for state in LEASED]
    query = select(jobs).where(jobs.c.state.in_(leased), jobs.c.pool_id == pool_id)
    return connection.execute(query).mappings().all()


def events_after(connection: Connection, job_id: str, sequence: int, limit: int) -> Sequence[RowMapping]:
    """A job's events after a sequence, in order."""
    values = {"job_id": job_id, "after": sequence, "most": limit}
    return connection.execute(_EVENTS_AFTER, values).mappings().all()


def chunks_after(connection: Connection, job_id: str, cursor: int) -> Rows:
    """A job's metric chunks after a cursor, in the order in which they were reported, read as they are asked for.

    Those of series by group of layers are left out.
    """
    return _read_slowly(connection, _CHUNKS_AFTER, {"job_id": job_id, "after": cursor})


def chunks_by_key(connection: Connection, job_id: str, key: str = "") -> Rows:
    """A job's metric chunks, perhaps of one series alone: one series after the other, each in the order in which it was reported.

    They are read as they are asked for.
    """
    if key:
        return _read_slowly(connection, _CHUNKS_OF_KEY, {"job_id": job_id, "of_key": key})
    return _read_slowly(connection, _CHUNKS_BY_KEY, {"job_id": job_id})


def watched_chunks_by_key(connection: Connection, job_id: str) -> Rows:
    """The same of all series but those by group of layers."""
    return _read_slowly(connection, _WATCHED_CHUNKS_BY_KEY, {"job_id": job_id})


def newest_cursor(connection: Connection, job_id: str) -> int:
    """The cursor of a job's last metric chunk; 0 if it has none."""
    return connection.execute(_NEWEST_CURSOR, {"job_id": job_id}).scalar_one() or 0


def _read_slowly(connection: Connection, query: Select[Any], values: dict[str, Any]) -> Rows:
    """Rows that would be too much memory at once."""
    with connection.execute(query, values, execution_options={"yield_per": CHUNKS_A_FETCH}) as result:
        yield from result.mappings()


def find_pool(connection: Connection, pool_id: str) -> pool_pb2.Pool | None:
    """What a pool's agent said of it last; None if it is not known."""
    definition = connection.execute(select(pools.c.definition).where(pools.c.id == pool_id)).scalar_one_or_none()
    return None if definition is None else pool_pb2.Pool.FromString(definition)


def add_residual(connection: Connection, job_id: str, project: str, provider: str, end_time_ms: int, residual: bytes) -> None:
    """Write down how far a job's prediction was off."""
    values = {"job_id": job_id, "project": project, "provider": provider, "end_time_ms": end_time_ms, "residual": residual}
    connection.execute(residuals.insert().values(values))


def latest_residuals(connection: Connection, project: str, provider: str, limit: int) -> Sequence[bytes]:
    """A project's residuals, the latest first; of one provider unless it is empty."""
    query = select(residuals.c.residual).where(residuals.c.project == project)
    if provider:
        query = query.where(residuals.c.provider == provider)
    return connection.execute(query.order_by(residuals.c.end_time_ms.desc()).limit(limit)).scalars().all()


def artifact_set(connection: Connection, set_id: str) -> Sequence[RowMapping]:
    """The files of one set, by path."""
    query = select(artifacts).where(artifacts.c.set_id == set_id).order_by(artifacts.c.path)
    return connection.execute(query).mappings().all()


def training_state(connection: Connection, job_id: str) -> Sequence[RowMapping]:
    """The files of where a job's training stood last, by path; none if nothing was stored."""
    query = select(artifacts).where(artifacts.c.job_id == job_id, artifacts.c.kind == _TRAINING_STATE)
    return connection.execute(query.order_by(artifacts.c.path)).mappings().all()


def state_to_go_on_from(connection: Connection, job: RowMapping) -> Sequence[RowMapping]:
    """The files that a job's next attempt goes on from, by path: its own training state, or what a person chose."""
    own = training_state(connection, job["id"])
    if own or not job["resume_from"]:
        return own
    job_id, _, set_name = job["resume_from"].partition("/")
    return named_set(connection, job_id, set_name)


def named_set(connection: Connection, job_id: str, set_name: str) -> Sequence[RowMapping]:
    """The files of a job's set of that name, by path; none if it has none."""
    query = select(artifacts).where(artifacts.c.job_id == job_id, artifacts.c.set_name == set_name)
    return connection.execute(query.order_by(artifacts.c.path)).mappings().all()


def delete_training_state(connection: Connection, job_id: str) -> None:
    """List a job's training state no longer."""
    connection.execute(artifacts.delete().where(artifacts.c.job_id == job_id, artifacts.c.kind == _TRAINING_STATE))


def find_artifact(connection: Connection, artifact_id: str) -> RowMapping:
    """One artifact's row. Raises NotFound."""
    row = connection.execute(select(artifacts).where(artifacts.c.id == artifact_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("artifact", artifact_id, "GET /v1/jobs/{id}/artifacts lists a job's")
    return row


def set_of(connection: Connection, artifact_id: str) -> Sequence[RowMapping]:
    """The files of the set that is named by its id, or by that of one of its files. Raises NotFound."""
    files = artifact_set(connection, artifact_id)
    return files or artifact_set(connection, find_artifact(connection, artifact_id)["set_id"])


def find_file(connection: Connection, job_id: str, path: str) -> RowMapping | None:
    """A job's artifact by the path of its set and its own; None if there is none."""
    query = select(artifacts).where(artifacts.c.job_id == job_id, artifacts.c.path == path)
    return connection.execute(query).mappings().one_or_none()


def _no_such_job(job_id: str) -> NotFound:
    return NotFound("job", job_id, "GET /v1/jobs lists them")
