"""How many optimiser steps a run has."""

import math

from services.preflight.estimate.batch import batch_of
from services.preflight.estimate.workload import Workload


def total_steps(workload: Workload) -> int | None:
    """As the trainer counts them: `max_steps`, or whole batches and whole accumulations of every epoch; None if nobody knows how
    many rows there are."""
    schedule = workload.configuration.schedule
    if schedule.HasField("max_steps"):
        return schedule.max_steps
    if workload.row_count is None:
        return None
    batches = math.ceil(workload.row_count / (batch_of(workload).rows * max(1, workload.device_count)))
    return schedule.epochs * math.ceil(batches / workload.accumulation)
