"""A real agent has two processes train one job, before a fake door: Ray Train starts them, and notices when one dies."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tunesmith.job.v1 import job_event_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from tests.fakes.worker_door import FakeJob
from tests.integration.training.conftest import tiny_base
from tests.integration.workers.conftest import RunningAgent
from tests.integration.workers.test_agent import assignment_of, files_of, held_out_rows, loss_curve, training_rows

__all__ = ["tiny_base"]

pytestmark = pytest.mark.integration

STAGE = job_event_pb2.JOB_EVENT_TYPE_STAGE
TRAINING_S = 120.0
MakeJob = Callable[..., FakeJob]


@pytest.fixture
def make_job(agent: RunningAgent, tiny_base: Path) -> MakeJob:
    def make(max_steps: int, lease_seconds: float = 30.0) -> FakeJob:
        assignment = assignment_of(max_steps, lease_seconds)
        assignment.configuration.hardware.num_processes = 2
        return agent.door.add_job(assignment, training_rows(), held_out_rows(), **files_of(tiny_base))

    return make


def members(agent: RunningAgent) -> list[psutil.Process]:
    return agent.processes("RayTrainW")


def wait_for_step(agent: RunningAgent, job: FakeJob, step: int) -> None:
    agent.door.wait_for(lambda: job.outcome is not None or any(done >= step for done, _ in job.points("train_loss")), TRAINING_S)
    assert job.outcome is None, job.outcome


def wait_for_outcome(agent: RunningAgent, job: FakeJob) -> worker.Outcome:
    agent.door.wait_for(lambda: job.outcome is not None, TRAINING_S)
    assert job.outcome is not None
    return job.outcome


def test_a_job_goes_on_where_it_stood_when_one_of_its_processes_died(agent: RunningAgent, make_job: MakeJob) -> None:
    job = make_job(max_steps=60)
    wait_for_step(agent, job, 1)
    agent.door.wait_for(lambda: job.outcome is not None or bool(job.state_files), TRAINING_S)
    assert job.outcome is None, job.outcome
    both = members(agent)
    assert len(both) == 2
    max(both, key=lambda process: process.create_time()).kill()
    agent.door.wait_for(lambda: job.assignment.attempt == 2, TRAINING_S)
    (reason,) = job.released
    assert "that trained together" in reason
    stood_at = job.assignment.training_state.step
    assert 0 < stood_at < 60
    assert wait_for_outcome(agent, job).WhichOneof("kind") == "succeeded", job.outcome
    assert f"Going on from step {stood_at}" in job.events(STAGE)
    assert "2 processes train together, by DDP" in job.events(STAGE)
    assert sorted(loss_curve(job)) == list(range(1, 61))
    assert "adapter_model.safetensors" in job.artifacts["adapter"]
    assert job.events(job_event_pb2.JOB_EVENT_TYPE_WARNING) == []


def test_a_cancelled_job_ends_all_its_processes(agent: RunningAgent, make_job: MakeJob) -> None:
    job = make_job(max_steps=100_000, lease_seconds=3)
    wait_for_step(agent, job, 1)
    both = members(agent)
    job.directive = worker.DIRECTIVE_CANCEL
    assert wait_for_outcome(agent, job).WhichOneof("kind") == "cancelled"
    _, alive = psutil.wait_procs(both, timeout=30)
    assert alive == []
    end = time.monotonic() + 60
    while not agent.processes("TrainingP") and time.monotonic() < end:
        time.sleep(0.1)
    # The processor has its warm actor again, and nothing is left of the job.
    assert len(agent.processes("TrainingP")) == 1
    assert [path for path in (agent.folder / "home").glob("work*/*") if path.name != "warm-up"] == []
