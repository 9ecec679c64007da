"""Checkpoints and evaluations divide a run evenly and end with it."""

import pytest

from workers.training.recorder import spread


@pytest.mark.parametrize(
    ("count", "total", "steps"),
    [(0, 10, set()), (1, 10, {10}), (3, 10, {4, 7, 10}), (4, 8, {2, 4, 6, 8}), (10, 3, {1, 2, 3}), (2, 1, {1})],
)
def test_milestones_are_spread_evenly(count: int, total: int, steps: set[int]) -> None:
    assert spread(count, total) == steps
