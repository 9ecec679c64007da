"""What the platform costs while it trains: a job beside the same recipe as a plain script."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import overhead, plain
from bench.figures import Bar, Better, Figure
from bench.interleave import Arm
from bench.recipe import write_prompts
from bench.suite import Plan, Suite
from bench.whole import Whole


@contextmanager
def prepare(quick: bool) -> Iterator[Plan]:
    """A stack, which stays while the script runs: it is what stands on a machine that has Tunesmith."""
    recipe = overhead.QUICK_RECIPE if quick else overhead.RECIPE
    with tempfile.TemporaryDirectory(prefix="tsb-") as folder, Whole() as stack:
        command = plain.command(stack.model, write_prompts(Path(folder)), recipe)
        yield Plan(
            [
                Arm("tunesmith", partial(overhead.platform, stack, recipe)),
                Arm("trl_script", partial(overhead.script, command), is_peer=True),
            ]
        )


def _beside(title: str, value: str, bars: tuple[Bar, ...] = ()) -> Figure:
    return Figure(f"{title}, job / script", "", f"tunesmith.{value}", Better.LOWER, bars, beside=(f"trl_script.{value}",))


SUITE = Suite(
    name="overhead",
    title="Overhead: pico with LoRA on 200 Alpaca rows, 40 steps, as a job and as a plain script",
    prepare=prepare,
    distributions=("ray", "torch", "transformers", "peft", "trl"),
    figures=(
        _beside("training", "training_s", (Bar(at_most=1.03), Bar(at_most=1.05, of_worse_end=True))),
        _beside("behind the first step", "behind_first_step_s"),
        _beside("from asking to the result", "whole_s"),
        _beside("last loss", "last_loss_ratio"),
        Figure("training as a job", "s", "tunesmith.training_s", Better.LOWER),
        Figure("training as a script", "s", "trl_script.training_s", Better.LOWER),
    ),
)
