"""The real agent, Ray, actor and recipe before a fake door: what is said, what is stored, and what happens when parts die."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.job.v1 import job_event_pb2
from tunesmith.pool.v1 import pool_pb2
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.ids import is_id
from services.chassis.knobs import resolve_defaults
from tests.fakes.worker_door import FakeJob
from tests.integration.training.conftest import TEXTS, tiny_base  # noqa: F401 - a fixture
from tests.integration.workers.conftest import RunningAgent

pytestmark = pytest.mark.integration

STAGE = job_event_pb2.JOB_EVENT_TYPE_STAGE
TRAINING_S = 60.0
MAX_AGENT_MIB = 150
MAX_ACTOR_MIB = 600
MakeJob = Callable[..., FakeJob]


def rows(texts: list[str]) -> bytes:
    lines = [json.dumps({"prompt": text[:12], "completion": text[12:]}) for text in texts]
    return "\n".join(lines).encode() + b"\n"


def training_rows() -> bytes:
    """Eight rows."""
    return rows(TEXTS[:8])


def held_out_rows() -> bytes:
    """Two rows."""
    return rows(TEXTS[8:])


def files_of(base: Path) -> dict[str, bytes]:
    """The files of a base model."""
    return {path.name: path.read_bytes() for path in base.iterdir()}


def assignment_of(max_steps: int, lease_seconds: float) -> worker.Assignment:
    """A LoRA job on the tiny model."""
    assignment = worker.Assignment(provider="local", display_name="tiny", lease_seconds=lease_seconds)
    settings = {
        "model": {"base_model": "tiny", "precision": "MODEL_PRECISION_FP32"},
        "datasets": {"training_file_id": "rows", "validation_file_id": "more"},
        "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 4, "alpha": 8}},
        "schedule": {"batch_size": 2, "sequence_length": 512, "max_steps": max_steps, "evaluations": 1, "checkpoints": 0},
        "optimizer": {"learning_rate": 1e-3},
        "optimizations": {"enabled": ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]},
    }
    ParseDict(settings, assignment.configuration)
    resolve_defaults(assignment.configuration)
    assignment.base_model.display_name = "tiny"
    for dataset in (assignment.training_dataset, assignment.validation_dataset):
        dataset.display_name = "rows"
        dataset.format = dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION
    return assignment


@pytest.fixture
def make_job(agent: RunningAgent, tiny_base: Path) -> MakeJob:  # noqa: F811
    def make(max_steps: int, lease_seconds: float = 30.0) -> FakeJob:
        assignment = assignment_of(max_steps, lease_seconds)
        return agent.door.add_job(assignment, training_rows(), held_out_rows(), **files_of(tiny_base))

    return make


def loss_curve(job: FakeJob) -> dict[int, float]:
    """By step; what a later attempt reported counts."""
    return dict(job.points("train_loss"))


def wait_for_step(agent: RunningAgent, job: FakeJob, step: int) -> None:
    agent.door.wait_for(lambda: any(done >= step for done, _ in job.points("train_loss")), TRAINING_S)


def wait_for_outcome(agent: RunningAgent, job: FakeJob) -> worker.Outcome:
    agent.door.wait_for(lambda: job.outcome is not None, TRAINING_S)
    assert job.outcome is not None
    return job.outcome


def test_the_pool_says_what_it_is_and_stays_small(agent: RunningAgent) -> None:
    pool = agent.door.pools[-1]
    assert pool.ready
    assert len({pool.instance_id for pool in agent.door.pools}) == 1
    assert is_id(pool.instance_id)
    assert list(pool.providers) == ["local"]
    assert pool.devices[0].kind == pool_pb2.DEVICE_KIND_CPU
    assert agent.pss_mib() < MAX_AGENT_MIB
    assert agent.actor().memory_full_info().pss / 1024**2 < MAX_ACTOR_MIB


def test_a_job_trains_and_its_result_arrives_complete(agent: RunningAgent, make_job: MakeJob) -> None:
    job = make_job(max_steps=4)
    assert wait_for_outcome(agent, job).WhichOneof("kind") == "succeeded", job.outcome
    assert [step for step, _ in job.points("train_loss")] == [1, 2, 3, 4]
    assert all(math.isfinite(loss) for _, loss in job.points("train_loss"))
    assert [step for step, _ in job.points("eval_loss")] == [0, 4]
    assert job.events(STAGE)[:2] == ["Fetching the inputs", "Loading tiny"]
    adapter = job.artifacts["adapter"]
    assert {"adapter_config.json", "adapter_model.safetensors"} <= set(adapter)
    assert json.loads(adapter["adapter_config.json"])["r"] == 4
    assert len(adapter["adapter_model.safetensors"]) > 1000
    assert job.history[-1] == "report"
    assert list((agent.folder / "home" / "work").iterdir()) == []


def test_the_next_job_has_its_inputs_and_its_process_ready(agent: RunningAgent, make_job: MakeJob) -> None:
    actor = agent.actor().pid
    reads = sum(call.startswith("Read") for call in agent.door.calls)
    job = make_job(max_steps=2)
    assert wait_for_outcome(agent, job).WhichOneof("kind") == "succeeded"
    assert agent.actor().pid == actor
    assert sum(call.startswith("Read") for call in agent.door.calls) == reads


def test_a_cancelled_job_stops_in_the_middle(agent: RunningAgent, make_job: MakeJob) -> None:
    job = make_job(max_steps=100_000, lease_seconds=3)
    wait_for_step(agent, job, 1)
    job.directive = worker.DIRECTIVE_CANCEL
    assert wait_for_outcome(agent, job).WhichOneof("kind") == "cancelled"
    assert job.artifacts == {}


def test_a_service_that_restarts_loses_nothing(agent: RunningAgent, make_job: MakeJob) -> None:
    job = make_job(max_steps=600)
    wait_for_step(agent, job, 1)
    agent.door.stop()
    time.sleep(2)
    agent.door.start()
    assert wait_for_outcome(agent, job).WhichOneof("kind") == "succeeded"
    assert [step for step, _ in job.points("train_loss")] == list(range(1, 601))
    assert job.assignment.attempt == 1


def test_a_job_whose_actor_is_killed_is_given_back_and_runs_on_another(agent: RunningAgent, make_job: MakeJob) -> None:
    job = make_job(max_steps=300)
    wait_for_step(agent, job, 1)
    killed = agent.actor()
    killed.kill()
    agent.door.wait_for(lambda: job.assignment.attempt == 2, TRAINING_S)
    assert job.released == ["the training process died without a word: it was killed, ran out of memory or crashed"]
    assert wait_for_outcome(agent, job).WhichOneof("kind") == "succeeded"
    assert agent.actor().pid != killed.pid


def test_an_attempt_goes_on_where_the_actor_that_died_stood(agent: RunningAgent, make_job: MakeJob) -> None:
    whole = make_job(max_steps=120)
    assert wait_for_outcome(agent, whole).WhichOneof("kind") == "succeeded"
    agent.die_at("training_state.stored")
    job = make_job(max_steps=120)
    agent.door.wait_for(lambda: job.assignment.attempt == 2, TRAINING_S)
    stood_at = job.assignment.training_state.step
    assert wait_for_outcome(agent, job).WhichOneof("kind") == "succeeded"

    assert 0 < stood_at < 120
    assert f"Going on from step {stood_at}" in job.events(STAGE)
    assert [step for step, _ in job.points("train_loss")].count(stood_at + 1) <= 2
    assert loss_curve(job) == loss_curve(whole)
    assert sorted(loss_curve(whole)) == list(range(1, 121))
    assert dict(job.points("eval_loss")) == dict(whole.points("eval_loss"))
    assert [step for step, _ in job.points("eval_loss")] == [0, 120]
    assert job.artifacts["adapter"]["adapter_model.safetensors"] == whole.artifacts["adapter"]["adapter_model.safetensors"]
    assert job.events(job_event_pb2.JOB_EVENT_TYPE_WARNING) == []
    assert job.released == ["the training process died without a word: it was killed, ran out of memory or crashed"]


def test_a_job_that_another_worker_took_ends_its_process_and_writes_nothing_more(agent: RunningAgent, make_job: MakeJob) -> None:
    job = make_job(max_steps=100_000, lease_seconds=3)
    wait_for_step(agent, job, 1)
    fenced = agent.actor()
    agent.door.fence(job)
    known = len(job.reports)
    psutil.wait_procs([fenced], timeout=10)
    assert not fenced.is_running()
    agent.wait_ready(after=[pool.ready for pool in agent.door.pools].count(True))
    assert len(job.reports) == known
    assert job.released == []
    assert list((agent.folder / "home" / "work").iterdir()) == []


def test_an_agent_that_is_told_to_stop_does_and_gives_its_job_back(agent: RunningAgent, make_job: MakeJob) -> None:
    """The last on this agent."""
    job = make_job(max_steps=100_000)
    wait_for_step(agent, job, 1)
    family = agent.descendants()
    began = time.monotonic()
    agent.terminate()
    assert agent.wait(5) == 0
    assert time.monotonic() - began < 5
    assert job.released == job.stopped_on_purpose == ["the pool's agent was stopped"]
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
