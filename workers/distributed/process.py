"""What each process of a training does, once torch's process group is there."""

import traceback
from contextlib import nullcontext

import torch

from workers.distributed.attempt import SharedAttempt
from workers.distributed.processes import Processes
from workers.providers.local import hardware
from workers.training.attempt import Assignment
from workers.training.inputs import Inputs
from workers.training.memory import release
from workers.training.optimizer_state import forget_overrides
from workers.training.quiet import quiet
from workers.training.recipes import recipe_of
from workers.training.sink import Sink
from workers.training.trackers import tracked


def run(assignment: Assignment, inputs: Inputs, sink: Sink) -> None:
    """Train as one of several, and have the first one store the result.

    `sink` is heard in the first process alone. Raises what `workers.training.attempt.run` raises.
    """
    configuration = assignment.configuration
    try:
        strategy = hardware.strategy(configuration, assignment.base_model.parameter_count)
        processes = Processes()
        # One of them tells the outside, too.
        telling = tracked(assignment, sink) if processes.is_first else nullcontext(sink)
        with quiet(), telling as heard:
            attempt = SharedAttempt(assignment, inputs, heard, processes, strategy, on_gpu=torch.cuda.is_available())
            recipe_of(configuration.method.objective)(attempt)
    except BaseException as error:
        # The frames that the exception went through hold the model and its gradients for as long as somebody holds it.
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        forget_overrides()
        release()
