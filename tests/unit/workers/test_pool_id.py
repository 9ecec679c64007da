"""A pool is the same after its agent restarts, and has one agent at a time."""

from pathlib import Path

import pytest

from services.chassis.ids import is_id
from workers.pool_id import AgentRunning, keep_pool_id


def test_a_restarted_agent_is_the_same_pool(tmp_path: Path) -> None:
    first, lock = keep_pool_id(tmp_path / "agent")
    lock.close()
    second, lock = keep_pool_id(tmp_path / "agent")
    lock.close()
    assert is_id(first)
    assert first == second


def test_a_second_agent_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    _, lock = keep_pool_id(tmp_path / "agent")
    with pytest.raises(AgentRunning, match="TUNESMITH_HOME"):
        keep_pool_id(tmp_path / "agent")
    lock.close()


def test_a_spoiled_file_makes_a_new_pool(tmp_path: Path) -> None:
    (tmp_path / "pool-id").write_text("../../etc\n")
    pool_id, lock = keep_pool_id(tmp_path)
    lock.close()
    assert is_id(pool_id)
    assert (tmp_path / "pool-id").read_text().strip() == pool_id
