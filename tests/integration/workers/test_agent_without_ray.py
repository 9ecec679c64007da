"""An agent whose Ray died ends, so that its supervisor starts it again."""

import time

import pytest

from tests.integration.workers.conftest import RunningAgent

pytestmark = pytest.mark.integration


def test_an_agent_whose_ray_is_killed_exits_with_an_error(agent: RunningAgent) -> None:
    (raylet,) = agent.processes("raylet")
    began = time.monotonic()
    raylet.kill()
    assert agent.wait(30) == 1
    assert time.monotonic() - began < 30
