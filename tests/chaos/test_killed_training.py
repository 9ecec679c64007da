"""SIGKILL at a random step, three times a run: its weights and losses are those of a run that was left alone.

`make test` does it to one small method, `make chaos` to every way of training. CHAOS_SEED repeats the moments. Nothing but the
training is real here, so that each way costs seconds; test_chaos kills whole stacks.
"""

import multiprocessing
import os
import random
import secrets
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.killed_attempt import MOMENTS, Kill, latest_state, points, run_attempt
from tests.integration.training.conftest import Job, make_job, tiny_base  # noqa: F401 - fixtures
from tests.integration.training.ways import WAYS

pytestmark = pytest.mark.chaos

MakeJob = Callable[..., Job]
SEED = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(1_000_000))
IS_LONG = bool(os.environ.get("CHAOS_RECORD"))
STEPS = 40
SCHEDULE = {"max_steps": STEPS, "evaluations": 4, "keep_best": True, "checkpoints": 1}
KILLS = 3
# Imports and all; a machine that has other things to do as well takes its time.
PATIENCE_S = 120.0
IMPORTS = ["workers.training.attempt", "workers.training.recipes.supervised", "tests.chaos.killed_attempt"]
MEASURED = {"tokens_per_second", "memory_bytes"}


def kills(name: str) -> list[Kill]:
    """When to kill, a later step each time."""
    chance = random.Random(f"{SEED}-{name}")
    return [Kill(step, chance.choice(MOMENTS)) for step in sorted(chance.sample(range(1, STEPS), KILLS))]


def attempt(job: Job, folder: Path, number: int, kill: Kill | None) -> int:
    """Run one in a process that has imported everything and run nothing; answers what it ended with."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["workers.training.attempt", "workers.training.recipes.supervised", "tests.chaos.killed_attempt"]
    )
    arguments = (job.assignment.SerializeToString(), job.inputs, folder, number, kill)
    process = context.Process(target=run_attempt, args=arguments)
    process.start()
    process.join(PATIENCE_S)
    if process.exitcode is None:
        process.kill()
        process.join()
        pytest.fail(f"attempt {number} was not over after {PATIENCE_S:g} s")
    return process.exitcode


def weights(folder: Path) -> bytes:
    (file,) = (path for name in ("adapter", "model") for path in (folder / name).glob("*.safetensors"))
    return file.read_bytes()


@pytest.mark.parametrize("name", list(WAYS) if IS_LONG else ["LoRA"])
def test_a_run_that_is_killed_three_times_ends_as_one_that_was_not(name: str, make_job: MakeJob, tmp_path: Path) -> None:  # noqa: F811
    job = WAYS[name].job(make_job, SCHEDULE)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    assert attempt(job, whole, 0, None) == 0

    planned = kills(name)
    told = f"CHAOS_SEED={SEED}: {planned}"
    print(f"\n{name}: {told}")
    resumed = 0
    for number, kill in enumerate(planned):
        resumed += latest_state(killed) is not None
        assert attempt(job, killed, number, kill) == -signal.SIGKILL, told
    resumed += latest_state(killed) is not None
    assert attempt(job, killed, KILLS, None) == 0, told

    # All this would hold as well of attempts that each began at the beginning.
    assert resumed, told
    expected, found = points(whole), points(killed)
    for key in expected.keys() - MEASURED:
        assert found[key] == expected[key], f"{key}; {told}"
    assert weights(killed) == weights(whole), told
