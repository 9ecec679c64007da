"""How far predictions were off: written down when a job succeeds, and listed."""

from pathlib import Path

import pytest
from sqlalchemy import select, text
from tunesmith.config.v1 import method_pb2
from tunesmith.job.v1 import job_pb2, job_service_pb2, residual_pb2
from tunesmith.pool.v1 import pool_pb2, pool_service_pb2
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.chassis.database import Database
from services.chassis.identity import PROJECT
from services.chassis.migrations import migrate
from services.chassis.settings import Settings
from services.job import storage
from services.job.usecases.residuals import list_residuals, note_residual
from tests.unit.services.job.conftest import POOL, House

CPU = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CPU, name="chip", core_count=2, memory_bytes=1000)
GPU = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CUDA, name="NVIDIA A100-SXM4-80GB", memory_bytes=80 << 30)
SEEN = job_pb2.JobFigures(peak_memory_bytes=900, step_seconds=0.5, tokens_per_second=100)
SUCCEEDED = door.Outcome(succeeded=door.Succeeded())


def measured(device: pool_pb2.Device) -> pool_pb2.Device:
    made = pool_pb2.Device()
    made.CopyFrom(device)
    made.measurement.probe_seconds = 2
    return made


async def register(house: House, *devices: pool_pb2.Device, ready: bool = True) -> None:
    request = door.RegisterPoolRequest(pool_id=POOL, providers=["local"], ready=ready, devices=devices)
    await house.worker.RegisterPool(request)


async def run_job(house: House, outcome: door.Outcome = SUCCEEDED) -> str:
    shape = base_model_pb2.ArchitectureShape(
        hidden_size=64, layer_count=2, attention_head_count=4, intermediate_size=128, vocabulary_size=384
    )
    house.registry.add_base_model("model", architecture=shape)
    await register(house, measured(CPU), GPU)
    job = await house.create(accept_warnings=True)
    lease = (await house.worker.Lease(door.LeaseRequest(pool_id=POOL))).assignment.lease
    await house.report(lease, 1, measured=SEEN, outcome=outcome)
    return job.id


async def listed(house: House, **fields: object) -> list[residual_pb2.Residual]:
    return list((await house.jobs.ListResiduals(job_service_pb2.ListResidualsRequest(**fields))).residuals)


def row(predicted: job_pb2.JobFigures, number: int = 0) -> dict[str, object]:
    """Of a job that runs."""
    definition = job_pb2.Job()
    definition.resolved_configuration.method.type = method_pb2.TRAINING_METHOD_LORA
    return {
        "id": f"job-{number}",
        "project": PROJECT,
        "owner": "o",
        "display_name": "j",
        "provider": "other" if number % 2 else "local",
        "state": "JOB_STATE_RUNNING",
        "definition": definition.SerializeToString(),
        "inputs": b"",
        "predicted": predicted.SerializeToString(),
        "schema_version": 1,
        "attempt": 1,
        "lost_attempts": 0,
        "pause_requested": False,
        "pool_id": None,
        "lease_epoch": 1,
        "report_sequence": 0,
        "event_sequence": 0,
        "create_time_ms": 1,
        "update_time_ms": 1,
    }


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(Settings(home=tmp_path).database())
    migrate(made.engine, "job")
    return made


def note(database: Database, predicted: job_pb2.JobFigures, number: int = 0, seen: job_pb2.JobFigures = SEEN) -> None:
    with database.engine.begin() as connection:
        connection.execute(storage.jobs.insert().values(**row(predicted, number)))
        stored = storage.find_job(connection, f"job-{number}")
        note_residual(connection, stored, seen.SerializeToString(), 1000 + number)


def latest(database: Database, **fields: object) -> list[residual_pb2.Residual]:
    with database.engine.begin() as connection:
        return list(list_residuals(connection, job_service_pb2.ListResidualsRequest(**fields)).residuals)


def test_what_was_expected_stands_beside_what_was_seen(database: Database) -> None:
    expected = job_pb2.JobFigures(peak_memory_bytes=1000, step_seconds=0.4, uncorrected_step_seconds=0.3)
    note(database, expected)
    (found,) = latest(database)
    assert (found.job_id, found.provider, found.method) == ("job-0", "local", method_pb2.TRAINING_METHOD_LORA)
    assert (found.predicted, found.measured) == (expected, SEEN)
    assert found.end_time.ToMilliseconds() == 1000
    assert not found.HasField("device")


@pytest.mark.parametrize(
    "expected", [job_pb2.JobFigures(), job_pb2.JobFigures(duration_seconds=5), job_pb2.JobFigures(first_evaluation_loss=1)]
)
def test_without_a_figure_in_both_nothing_is_noted(database: Database, expected: job_pb2.JobFigures) -> None:
    note(database, expected)
    assert latest(database) == []


def test_the_latest_come_first_and_of_one_provider_if_asked(database: Database) -> None:
    for number in range(6):
        note(database, job_pb2.JobFigures(step_seconds=1), number)
    assert [one.job_id for one in latest(database)] == [f"job-{number}" for number in (5, 4, 3, 2, 1, 0)]
    assert [one.job_id for one in latest(database, page_size=2)] == ["job-5", "job-4"]
    assert [one.job_id for one in latest(database, provider="local")] == ["job-4", "job-2", "job-0"]


@pytest.mark.parametrize("fields", [{}, {"provider": "local"}])
def test_listing_goes_by_an_index(database: Database, fields: dict[str, str]) -> None:
    provider = "AND provider = 'local'" if fields else ""
    query = f"SELECT residual FROM job_residuals WHERE project = 'p' {provider} ORDER BY end_time_ms DESC LIMIT 200"
    with database.engine.begin() as connection:
        plan = " ".join(one[-1] for one in connection.execute(text(f"EXPLAIN QUERY PLAN {query}")))
    assert "USING INDEX job_residuals_by" in plan
    assert "TEMP B-TREE" not in plan


async def test_a_job_that_succeeded_is_listed_with_the_device_it_ran_on(house: House) -> None:
    job_id = await run_job(house)
    job = await house.get(job_id)
    found = await listed(house)
    assert job.predicted.HasField("step_seconds")
    (residual,) = found
    assert residual.job_id == job_id
    assert residual.device == GPU
    assert residual.predicted == job.predicted
    assert residual.predicted.uncorrected_step_seconds > 0
    assert residual.measured.duration_seconds == job.measured.duration_seconds


async def test_a_job_that_failed_is_not_listed(house: House) -> None:
    outcome = door.Outcome()
    outcome.failed.code = 3
    await run_job(house, outcome)
    assert await listed(house) == []


async def pools(house: House) -> list[pool_pb2.Pool]:
    return list((await house.pools.ListPools(pool_service_pb2.ListPoolsRequest())).pools)


async def test_a_measurement_is_listed_and_outlives_a_restart_of_the_agent(house: House) -> None:
    await register(house, measured(CPU))
    (pool,) = await pools(house)
    assert pool.devices[0].measurement.probe_seconds == 2
    # An agent that was started anew has measured nothing yet.
    await register(house, CPU, ready=False)
    assert (await pools(house))[0].devices[0].measurement.probe_seconds == 2
    again = measured(CPU)
    again.measurement.probe_seconds = 3
    await register(house, again)
    assert (await pools(house))[0].devices[0].measurement.probe_seconds == 3


async def test_another_device_does_not_inherit_a_measurement(house: House) -> None:
    await register(house, measured(CPU))
    await register(house, GPU)
    (pool,) = await pools(house)
    assert [device.HasField("measurement") for device in pool.devices] == [False]


def test_the_table_is_the_one_that_the_migrations_make(database: Database) -> None:
    with database.engine.begin() as connection:
        assert connection.execute(select(storage.residuals)).all() == []
