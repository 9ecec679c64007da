"""A job that names trackers trains as one without them, and says what it could not reach."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from .conftest import Job

pytestmark = pytest.mark.integration


def test_a_job_s_figures_reach_a_tracker_and_a_missing_one_is_named(
    make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: dict[int, dict[str, float]] = {}
    trackio: Any = ModuleType("trackio")
    trackio.log = lambda values, step: logged.setdefault(step, {}).update(values)
    trackio.finish = lambda: logged.setdefault(-1, {})
    trackio.init = lambda **_: trackio
    monkeypatch.setitem(sys.modules, "trackio", trackio)
    monkeypatch.setitem(sys.modules, "wandb", None)
    plain = make_job().run()
    followed = make_job("TEXT", {"integrations": {"wandb": {"project": "p"}, "trackio": {"project": "t"}}}).run()
    assert followed.losses() == plain.losses()
    assert [logged[step]["train_loss"] for step in range(1, 6)] == plain.losses()
    assert -1 in logged
    (warning,) = [text for text in followed.warnings if text not in plain.warnings]
    assert "wandb is not installed where it trains" in warning
