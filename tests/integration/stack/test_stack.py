"""The whole of Tunesmith as `make up` runs it: services, gateway, Ray, agent, starter model."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.whole_stack import (
    HEALTHY_WITHIN_S,
    POOL_WITHIN_S,
    STOPPED_WITHIN_S,
    Stack,
    running,
    start,
    still_alive,
    wait_for,
)

pytestmark = pytest.mark.integration

MAX_IDLE_BYTES = 1.5 * 1024**3


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack of these tests' own: they kill it."""
    with running() as made:
        yield made


def test_the_person_is_told_where_it_is(stack: Stack) -> None:
    assert f"ready: http://127.0.0.1:{stack.port}\n" in stack.said()


def test_the_starter_model_is_there(stack: Stack) -> None:
    status, answer = stack.get("/v1/base-models/tunesmith/pico")
    assert status == 200
    assert answer["base_model"]["cache_status"] == "CACHE_STATUS_CACHED"
    assert answer["base_model"]["stage"] == "STAGE_RANDOM"


def test_nothing_listens_beyond_this_machine(stack: Stack) -> None:
    listening = [
        connection.laddr
        for each in stack.descendants()
        for connection in each.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {stack.port, stack.worker_port} <= {address.port for address in listening}
    # Envoy's two, Ray's head, raylet and agents.
    assert len(listening) >= 6
    assert {address.ip for address in listening} <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


def test_rays_processes_ask_each_other_for_a_token(stack: Stack) -> None:
    for name in ("gcs_server", "raylet/raylet"):
        environment = stack.named(name).environ()
        assert environment["RAY_AUTH_MODE"] == "token"
        assert oct(Path(environment["RAY_AUTH_TOKEN_PATH"]).stat().st_mode)[-3:] == "600"


def test_it_is_small_while_it_waits(stack: Stack) -> None:
    processes = [psutil.Process(stack.process.pid), *stack.descendants()]
    assert sum(each.memory_full_info().pss for each in processes) < MAX_IDLE_BYTES


def test_a_service_that_dies_comes_back(stack: Stack) -> None:
    starts = stack.said().count("services: ready")
    stack.named("services").kill()
    # It may be back before the gateway has noticed anything.
    wait_for(lambda: stack.said().count("services: ready") > starts, HEALTHY_WITHIN_S, stack)
    wait_for(stack.is_healthy, HEALTHY_WITHIN_S, stack)


def test_a_cluster_that_dies_comes_back_with_its_agent(stack: Stack) -> None:
    agent = stack.named("workers.agent").pid
    pools = stack.said().count("pool ready")
    stack.named("raylet/raylet").kill()
    wait_for(lambda: stack.said().count("pool ready") > pools, POOL_WITHIN_S, stack)
    assert stack.named("workers.agent").pid != agent


def test_it_stops_and_leaves_nothing_and_starts_again(stack: Stack) -> None:
    processes = stack.descendants()
    begin = time.monotonic()
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(STOPPED_WITHIN_S) == 0
    assert time.monotonic() - begin < STOPPED_WITHIN_S
    assert len(processes) > 8
    assert still_alive(processes) == []
    stack.process = start(stack.home, stack.port, stack.worker_port).process
    wait_for(stack.is_healthy, HEALTHY_WITHIN_S, stack)
    assert stack.get("/v1/base-models/tunesmith/pico")[0] == 200


def test_a_killed_run_is_cleared_away_by_the_next(stack: Stack) -> None:
    wait_for(lambda: "pool ready" in stack.said(), POOL_WITHIN_S, stack)
    recorded = stack.home / "run" / "processes.json"
    wait_for(lambda: len(json.loads(recorded.read_text())) == len(stack.descendants()), 10, stack)
    left = stack.descendants()
    stack.process.kill()
    stack.process.wait()
    assert still_alive(left)
    stack.process = start(stack.home, stack.port, stack.worker_port).process
    # What was left may still answer, so it takes the new run's own word.
    wait_for(lambda: "ready: http" in stack.said(), HEALTHY_WITHIN_S, stack)
    assert f"ended {len(left)} processes that an earlier run left" in stack.said()
    assert still_alive(left) == []
