"""What the platform adds to training: the same recipe as a job and as a plain script, with equal flags, threads and seed."""

from collections.abc import Sequence

from bench import plain
from bench.recipe import Recipe
from bench.whole import Whole

# Long enough that a step more or less of the machine's mood does not decide.
RECIPE = Recipe(steps=40)
QUICK_RECIPE = Recipe(steps=4)


def platform(stack: Whole, recipe: Recipe) -> dict[str, float]:
    """Seconds of a job on a warm actor: of all steps, of those behind the first, and from the call to its end."""
    stack.wait_ready()
    trained = stack.train(recipe)
    return _figures(trained.began, trained.steps, trained.losses) | {"whole_s": trained.ended - trained.created}


def script(command: Sequence[str]) -> dict[str, float]:
    """The same of the script, from the start of its process to the adapter on the disk."""
    run = plain.run(command)
    return _figures(run.began, run.steps, run.losses) | {"whole_s": run.saved}


def _figures(began: float, steps: list[float], losses: list[float]) -> dict[str, float]:
    # Equal losses say that both have computed the same.
    return {"training_s": steps[-1] - began, "behind_first_step_s": steps[-1] - steps[0], "last_loss_ratio": losses[-1]}
