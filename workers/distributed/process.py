"""What each process of a training does, once torch's process group is there."""

from contextlib import nullcontext

import torch

from workers.distributed.attempt import SharedAttempt
from workers.distributed.processes import Processes
from workers.providers.local import hardware
from workers.training.attempt import Assignment, nothing_left_over
from workers.training.inputs import Inputs
from workers.training.quiet import quiet
from workers.training.recipes import recipe_of
from workers.training.sink import Sink
from workers.training.trackers import tracked


def run(assignment: Assignment, inputs: Inputs, sink: Sink) -> None:
    """Train as one of several, and have the first one store the result.

    `sink` is heard in the first process alone. Raises what `workers.training.attempt.run` raises.
    """
    configuration = assignment.configuration
    with nothing_left_over():
        strategy = hardware.strategy(configuration, assignment.base_model.parameter_count)
        processes = Processes()
        # One of them tells the outside, too.
        telling = tracked(assignment, sink) if processes.is_first else nullcontext(sink)
        with quiet(), telling as heard:
            attempt = SharedAttempt(assignment, inputs, heard, processes, strategy, on_gpu=torch.cuda.is_available())
            recipe_of(configuration.method.objective)(attempt)
