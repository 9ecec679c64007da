"""Pools ask for jobs, keep them by being heard of, and lose them by silence."""

from collections.abc import Sequence

from google.rpc import code_pb2, status_pb2
from sqlalchemy import Connection, RowMapping, select
from tunesmith.job.v1 import job_event_pb2, job_pb2
from tunesmith.pool.v1 import pool_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.database import now_ms
from services.chassis.errors import Aborted, FailedPrecondition
from services.job import convert, domain, storage
from services.job.usecases.cancel import end_cancelled
from services.job.usecases.queue import next_for
from services.job.usecases.transition import fail, move


def register_pool(connection: Connection, request: door.RegisterPoolRequest) -> Sequence[str]:
    """Write down what a pool is, or that it is still there.

    An agent that was started anew knows nothing of the jobs it had: they are taken back; answers their ids.
    """
    pool = pool_pb2.Pool(
        display_name=request.display_name, providers=request.providers, devices=request.devices, slot_count=request.slot_count
    )
    _keep_measurements(connection, request.pool_id, pool)
    definition = pool.SerializeToString()
    now = now_ms(connection)
    values = {"definition": definition, "ready": request.ready, "instance_id": request.instance_id, "last_seen_ms": now}
    pools = storage.pools
    known = connection.execute(select(pools.c.instance_id).where(pools.c.id == request.pool_id)).one_or_none()
    if known is None:
        connection.execute(pools.insert().values(id=request.pool_id, create_time_ms=now, **values))
        return ()
    connection.execute(pools.update().where(pools.c.id == request.pool_id).values(**values))
    if not request.instance_id or known.instance_id == request.instance_id:
        return ()
    left = storage.leased_by(connection, request.pool_id)
    for row in left:
        lose_worker(connection, row, "the pool's agent was started anew")
    return [row["id"] for row in left]


def _keep_measurements(connection: Connection, pool_id: str, pool: pool_pb2.Pool) -> None:
    """An agent that was started anew has not measured yet: what was found out before about the same devices stands until then."""
    unmeasured = [device for device in pool.devices if not device.HasField("measurement")]
    before = storage.find_pool(connection, pool_id) if unmeasured else None
    if before is None:
        return
    known = {(one.kind, one.name, one.core_count): one.measurement for one in before.devices if one.HasField("measurement")}
    for device in unmeasured:
        measurement = known.get((device.kind, device.name, device.core_count))
        if measurement is not None:
            device.measurement.CopyFrom(measurement)


def lease_job(connection: Connection, request: door.LeaseRequest, lease_seconds: float) -> door.Assignment | None:
    """Give one of a pool's slots the job that has waited longest, if there is one it can run.

    Raises FailedPrecondition, reason POOL_NOT_REGISTERED.
    """
    pool_id = request.pool_id
    row = next_for(connection, _providers(connection, pool_id), request)
    if row is None:
        return None
    attempt, epoch = row["attempt"] + 1, row["lease_epoch"] + 1
    move(
        connection,
        row,
        domain.RUNNING,
        job_event_pb2.JOB_EVENT_TYPE_STARTED,
        f"Attempt {attempt} started on pool {pool_id}.",
        attempt=attempt,
        lease_epoch=epoch,
        lease_expires_ms=_expiry(connection, lease_seconds),
        report_sequence=0,
        pool_id=pool_id,
    )
    assignment = door.Assignment.FromString(row["inputs"])
    assignment.lease.job_id, assignment.lease.epoch = row["id"], epoch
    assignment.lease_seconds = lease_seconds
    assignment.attempt = attempt
    assignment.provider = row["provider"]
    assignment.display_name = row["display_name"]
    definition = job_pb2.Job.FromString(row["definition"])
    if definition.WhichOneof("resolved_spec") == "resolved_export":
        assignment.export.CopyFrom(definition.resolved_export)
    else:
        assignment.configuration.CopyFrom(definition.resolved_configuration)
    for file in storage.state_to_go_on_from(connection, row):
        assignment.training_state.step = file["step"]
        files = assignment.training_state.files
        files.add(path=path_in_set(file), size_bytes=file["size_bytes"], sha256=file["sha256"])
    return assignment


def path_in_set(artifact: RowMapping) -> str:
    """What a worker called a file of a set."""
    return str(artifact["path"]).removeprefix(f"{artifact['set_name']}/")


def check_lease(connection: Connection, lease: door.LeaseToken) -> RowMapping:
    """The row of a job whose lease this is. Raises Aborted, reason LEASE_LOST, if it is no longer."""
    row = storage.find_job(connection, lease.job_id)
    refuse_lost(row, lease)
    return row


def refuse_lost(row: RowMapping, lease: door.LeaseToken) -> None:
    """Raise Aborted, reason LEASE_LOST, unless this is the lease of the job in the row."""
    if row["lease_epoch"] != lease.epoch or convert.state_of(row) not in domain.LEASED:
        text = f"lease {lease.epoch} of job {lease.job_id} is over; stop working on it"
        raise Aborted("LEASE_LOST", text, {"job_id": lease.job_id, "state": row["state"]})


def keep_lease(connection: Connection, request: door.HeartbeatRequest, lease_seconds: float) -> door.Directive:
    """Put off a lease's expiry; tells what a person wants of the job."""
    row = check_lease(connection, request.lease)
    storage.update_job(connection, row["id"], lease_expires_ms=_expiry(connection, lease_seconds))
    pools = storage.pools
    connection.execute(pools.update().where(pools.c.id == request.pool_id).values(last_seen_ms=now_ms(connection)))
    return directive(row)


def directive(row: RowMapping) -> door.Directive:
    """What a person wants of a job that runs."""
    if convert.state_of(row) == domain.CANCELLING:
        return door.DIRECTIVE_CANCEL
    return door.DIRECTIVE_PAUSE if row["pause_requested"] else door.DIRECTIVE_CONTINUE


def lose_worker(
    connection: Connection, row: RowMapping, reason: str, *, counts: bool = True, error: status_pb2.Status | None = None
) -> None:
    """A job's worker is gone: queue another attempt, or end the job, with the worker's own error if it had one.

    A loss that doesn't count speaks not against the job; the others do, until an attempt gets further than the one before.
    """
    if convert.state_of(row) == domain.CANCELLING:
        end_cancelled(connection, row["id"])
        return
    lost = row["lost_attempts"] + counts
    storage.update_job(connection, row["id"], lost_attempts=lost)
    what = f"Attempt {row['attempt']} lost its worker: {reason}."
    if lost >= domain.MAX_LOST_ATTEMPTS:
        text = (
            f"{lost} attempts in a row lost their worker and got no further, the last because {reason}. "
            "Look at the pool's memory and logs, then create the job again."
        )
        known = error or status_pb2.Status(code=code_pb2.ABORTED)
        fail(connection, row, status_pb2.Status(code=known.code, message=text, details=known.details))
    elif row["pause_requested"]:
        text = f"{what} The job waits, as a person asked."
        move(connection, row, domain.PAUSED, job_event_pb2.JOB_EVENT_TYPE_PAUSED, text, pause_requested=False)
    else:
        text = f"{what} Queued for another attempt."
        move(connection, row, domain.QUEUED, job_event_pb2.JOB_EVENT_TYPE_WORKER_LOST, text)


def release_lease(connection: Connection, request: door.ReleaseLeaseRequest) -> None:
    """Give a job back because its actor is gone."""
    row = check_lease(connection, request.lease)
    error = request.error if request.HasField("error") else None
    reason = request.reason or "its actor died"
    lose_worker(connection, row, reason, counts=not request.stopped_on_purpose, error=error)


def expire_leases(connection: Connection) -> Sequence[str]:
    """Take back every job whose worker was silent for too long; answers their ids."""
    rows = storage.expired_leases(connection, now_ms(connection))
    for row in rows:
        lose_worker(connection, row, "it was not heard of in time")
    return [row["id"] for row in rows]


def _providers(connection: Connection, pool_id: str) -> Sequence[str]:
    pools = storage.pools
    row = connection.execute(select(pools).where(pools.c.id == pool_id)).mappings().one_or_none()
    if row is None:
        text = f"pool {pool_id} is not registered; call RegisterPool first"
        raise FailedPrecondition("POOL_NOT_REGISTERED", text)
    connection.execute(pools.update().where(pools.c.id == pool_id).values(last_seen_ms=now_ms(connection)))
    return pool_pb2.Pool.FromString(row["definition"]).providers


def _expiry(connection: Connection, lease_seconds: float) -> int:
    return now_ms(connection) + round(lease_seconds * 1000)
