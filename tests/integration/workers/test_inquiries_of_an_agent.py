"""The real agent, Ray and estimator before a fake door: questions are answered beside the training, and a crash is mended."""

import json
import time

import psutil
import pytest
from google.rpc import code_pb2
from tunesmith.worker.v1 import inquiry_pb2

from tests.integration.estimating.questions import LLAMA_3B, question, total
from tests.integration.training.conftest import tiny_base  # noqa: F401 - a fixture
from tests.integration.workers.conftest import RunningAgent
from tests.integration.workers.test_agent import MakeJob, make_job, wait_for_outcome, wait_for_step  # noqa: F401 - a fixture

pytestmark = pytest.mark.integration

FIRST_ANSWER_S, ANSWER_S = 90.0, 10.0
MAX_ESTIMATOR_MIB = 600


def profile_of(configuration: dict[str, object]) -> inquiry_pb2.Inquiry:
    return inquiry_pb2.Inquiry(profile=inquiry_pb2.ProfileQuestion(configuration_json=json.dumps(configuration)))


def estimators(agent: RunningAgent) -> list[psutil.Process]:
    return agent.processes("EstimatingP")


def test_no_estimator_runs_before_somebody_asks(agent: RunningAgent) -> None:
    assert estimators(agent) == []


def test_a_profile_and_a_trace_are_answered_by_one_light_process(agent: RunningAgent) -> None:
    answer = agent.door.inquire(profile_of(LLAMA_3B), FIRST_ANSWER_S)
    assert answer.profile.parameter_count == 3_212_749_824, answer.error
    (estimator,) = estimators(agent)
    answer = agent.door.inquire(inquiry_pb2.Inquiry(trace=question(LLAMA_3B)), FIRST_ANSWER_S)
    assert total(answer.trace.phases[0]) > 10e9, answer.error
    assert estimators(agent) == [estimator]
    assert estimator.nice() > 0
    assert estimator.memory_full_info().pss / 1024**2 < MAX_ESTIMATOR_MIB
    # Beside the training actor, which is as it was.
    assert agent.actor().is_running()


def test_what_was_asked_before_is_answered_at_once(agent: RunningAgent) -> None:
    asked = inquiry_pb2.Inquiry(trace=question(LLAMA_3B, rank=16))
    first = agent.door.inquire(asked, FIRST_ANSWER_S)
    began = time.monotonic()
    second = agent.door.inquire(asked, ANSWER_S)
    assert time.monotonic() - began < 1
    assert second.trace == first.trace
    assert second.inquiry_id != first.inquiry_id


def test_what_can_not_be_answered_says_why(agent: RunningAgent) -> None:
    answer = agent.door.inquire(profile_of({"model_type": "llama", "num_hidden_layers": 10**9}), ANSWER_S)
    assert answer.error.code == code_pb2.INVALID_ARGUMENT
    assert "num_hidden_layers" in answer.error.message
    answer = agent.door.inquire(inquiry_pb2.Inquiry(), ANSWER_S)
    assert answer.error.code == code_pb2.UNIMPLEMENTED


def test_an_estimator_that_is_killed_is_replaced(agent: RunningAgent) -> None:
    (estimator,) = estimators(agent)
    ready = len([pool for pool in agent.door.pools if pool.ready])
    estimator.kill()
    answer = agent.door.inquire(profile_of(LLAMA_3B), FIRST_ANSWER_S)
    assert answer.profile.parameter_count == 3_212_749_824, answer.error
    (another,) = estimators(agent)
    assert another.pid != estimator.pid
    # Leasing went on with the actor that it had.
    assert len([pool for pool in agent.door.pools if not pool.ready]) <= 2
    agent.door.wait_for(lambda: len([pool for pool in agent.door.pools if pool.ready]) > ready, 60)


def test_questions_are_answered_while_a_job_trains(agent: RunningAgent, make_job: MakeJob) -> None:  # noqa: F811
    job = make_job(max_steps=400)
    wait_for_step(agent, job, 1)
    before = dict(job.points("train_loss"))
    answer = agent.door.inquire(inquiry_pb2.Inquiry(trace=question(LLAMA_3B, rank=64)), FIRST_ANSWER_S)
    assert answer.HasField("trace"), answer.error
    assert job.outcome is None and len(before) < 400
    assert wait_for_outcome(agent, job).WhichOneof("kind") == "succeeded"
    assert [step for step, _ in job.points("train_loss")] == list(range(1, 401))
    assert job.assignment.attempt == 1


def test_it_ends_with_the_agent(agent: RunningAgent) -> None:
    """The last on this agent."""
    family = agent.descendants()
    agent.terminate()
    assert agent.wait(5) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
