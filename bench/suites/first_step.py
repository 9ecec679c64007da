"""How long one waits for the first optimiser step, beside a plain TRL script, alone and as a Ray job."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import first_step, plain
from bench.figures import Bar, Better, Comparison, Figure
from bench.interleave import Arm
from bench.peers.ray_job import ray_head
from bench.recipe import write_prompts
from bench.suite import Plan, Suite
from bench.whole import Whole


@contextmanager
def prepare(quick: bool) -> Iterator[Plan]:
    """A stack, and a Ray head that takes jobs."""
    with tempfile.TemporaryDirectory(prefix="tsb-") as folder, Whole() as stack, ray_head() as head:
        command = plain.command(stack.model, write_prompts(Path(folder)), first_step.ONE_STEP)
        yield Plan(
            [
                Arm("tunesmith_warm", partial(first_step.warm, stack)),
                Arm("trl_script", partial(first_step.script, command), is_peer=True),
                Arm("tunesmith_cold", partial(first_step.cold, stack)),
                Arm("ray_job", partial(first_step.ray_job, head, command), is_peer=True),
            ]
        )


_WARM, _COLD = "tunesmith_warm.first_step_s", "tunesmith_cold.first_step_s"
_SCRIPT, _RAY_JOB = "trl_script.first_step_s", "ray_job.first_step_s"

SUITE = Suite(
    name="first_step",
    title="First step: pico with LoRA on 200 Alpaca rows, from asking to the first optimiser step",
    prepare=prepare,
    distributions=("ray", "torch", "transformers", "peft", "trl"),
    figures=(
        Figure("warm actor", "s", _WARM, Better.LOWER, (Bar(at_most=1.5),)),
        Figure("no warm actor", "s", _COLD, Better.LOWER),
        Figure("plain TRL script", "s", _SCRIPT, Better.LOWER),
        Figure("the script as a Ray job", "s", _RAY_JOB, Better.LOWER),
        Figure("plain TRL script, imports done", "s", "trl_script.imported_s", Better.LOWER),
        Figure("the script as a Ray job, imports done", "s", "ray_job.imported_s", Better.LOWER),
        Figure(
            "no warm actor, later than the plain script",
            "s",
            _COLD,
            Better.LOWER,
            (Bar(at_most=1.0),),
            (_SCRIPT,),
            Comparison.DIFFERENCE,
        ),
        Figure("warm actor / plain script", "", _WARM, Better.LOWER, beside=(_SCRIPT,)),
        Figure("warm actor / Ray job", "", _WARM, Better.LOWER, beside=(_RAY_JOB,)),
    ),
)
