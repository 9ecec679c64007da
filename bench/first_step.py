"""From CreateJob to the end of the first optimiser step, beside the same recipe as a plain script."""

from collections.abc import Sequence

from bench import plain
from bench.peers.ray_job import RayHead
from bench.recipe import Recipe
from bench.whole import Trained, Whole

ONE_STEP = Recipe(steps=1)


def warm(stack: Whole) -> dict[str, float]:
    """Seconds from the call to the end of the first step, on an actor that waits for work."""
    stack.wait_ready()
    return _of_job(stack.train(ONE_STEP))


def cold(stack: Whole) -> dict[str, float]:
    """The same, sent when the agent has just begun to start an actor's process: nothing is loaded yet."""
    stack.wait_ready()
    stack.actor().kill()
    stack.wait_unready()
    return _of_job(stack.train(ONE_STEP))


def script(command: Sequence[str]) -> dict[str, float]:
    """Seconds from the start of the script's process to the end of its first step."""
    return _of_script(plain.run(command))


def ray_job(head: RayHead, command: Sequence[str]) -> dict[str, float]:
    """Seconds from the start of `ray job submit` to the end of the script's first step."""
    return _of_script(head.submit(command))


def _of_job(trained: Trained) -> dict[str, float]:
    return {
        "acknowledged_s": trained.acknowledged - trained.created,
        "began_s": trained.began - trained.created,
        "first_step_s": trained.steps[0] - trained.created,
    }


def _of_script(run: plain.Run) -> dict[str, float]:
    return {"imported_s": run.imported, "began_s": run.began, "first_step_s": run.steps[0]}
