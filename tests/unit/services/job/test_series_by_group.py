"""Series by group of layers are listed whole and thinned like any other; who watches a job is not flooded with them."""

from tunesmith.job.v1 import job_service_pb2, metric_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from tests.unit.services.job.conftest import House

STEPS = 40
GROUPS = [f"{series}/layer_{number:02}" for series in ("gradient_norm", "weight_norm") for number in range(25)]


def chunk(key: str) -> metric_pb2.MetricChunk:
    steps = range(1, STEPS + 1)
    return metric_pb2.MetricChunk(key=key, steps=steps, values=[1 / step for step in steps], times_ms=steps)


async def reported(house: House) -> str:
    """A job that is over; answers its id."""
    job = await house.create()
    lease = (await house.lease()).lease
    await house.report(lease, 1, metrics=[chunk("train_loss"), *(chunk(key) for key in GROUPS)])
    await house.jobs.CancelJob(job_service_pb2.CancelJobRequest(id=job.id))
    await house.report(lease, 2, outcome=door.Outcome(cancelled=door.Cancelled()))
    return job.id


async def test_they_are_listed_and_thinned(house: House) -> None:
    job_id = await reported(house)
    every = await house.jobs.ListJobMetrics(job_service_pb2.ListJobMetricsRequest(job_id=job_id))
    assert [one.key for one in every.series] == sorted([*GROUPS, "train_loss"])
    assert {len(one.points) for one in every.series} == {STEPS}
    thin = await house.jobs.ListJobMetrics(job_service_pb2.ListJobMetricsRequest(job_id=job_id, max_points_per_series=10))
    assert len(thin.series) == len(GROUPS) + 1
    assert all(2 <= len(one.points) <= 10 and one.points[-1].step == STEPS for one in thin.series)
    one = await house.jobs.ListJobMetrics(job_service_pb2.ListJobMetricsRequest(job_id=job_id, key=GROUPS[3]))
    assert [series.key for series in one.series] == [GROUPS[3]]
    # A key is a series' own and no prefix of others.
    none = await house.jobs.ListJobMetrics(job_service_pb2.ListJobMetricsRequest(job_id=job_id, key="gradient_norm"))
    assert not none.series


async def test_a_watcher_gets_the_other_series(house: House) -> None:
    job_id = await reported(house)
    for most in (0, 10):
        request = job_service_pb2.WatchJobRequest(id=job_id, max_points_per_series=most)
        seen = [one.key for message in [message async for message in house.jobs.WatchJob(request)] for one in message.metrics]
        assert seen == ["train_loss"]
