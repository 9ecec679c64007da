"""How fast a run trains, and how sure that is."""

from tunesmith.preflight.v1 import estimate_pb2

from services.preflight.estimate import communication
from services.preflight.estimate.batch import batch_of
from services.preflight.estimate.residuals import Residuals
from services.preflight.estimate.speed import Speed
from services.preflight.estimate.step_time import step_seconds
from services.preflight.estimate.steps import total_steps
from services.preflight.estimate.workload import Workload


def estimate_throughput(
    workload: Workload, speed: Speed | None = None, residuals: Residuals | None = None
) -> estimate_pb2.ThroughputEstimate | None:
    """Seconds of a step, and what follows from them.

    `speed` is the workload's device's unless another is given; None is answered for a device of which nothing is known. Finished
    jobs like this one correct it and say how far it is off.
    """
    speed = speed or Speed.of(workload.device)
    if speed is None:
        return None
    alone = step_seconds(workload, speed)
    residuals = residuals or Residuals([])
    ratio = residuals.step_correction(workload)
    seconds = alone * ratio
    low, high, count = residuals.step_interval(workload, seconds, speed.error)
    batch = batch_of(workload)
    batches = workload.accumulation * max(1, workload.device_count)
    estimate = estimate_pb2.ThroughputEstimate(
        step_seconds=seconds,
        low_step_seconds=low,
        high_step_seconds=high,
        tokens_per_second=batch.trained_tokens * batches / seconds,
        samples_per_second=batch.rows * batches / seconds,
        total_steps=total_steps(workload) or 0,
        speed_source=estimate_pb2.SPEED_SOURCE_JOBS if ratio != 1 else speed.source,
        uncorrected_step_seconds=alone,
        comparable_job_count=count,
        remarks=[speed.remark],
    )
    if ratio != 1:
        estimate.remarks.append(f"{count} finished jobs like this one took {ratio:.2f} times what the formulas say")
    if workload.device_count > 1:
        estimate.remarks.append(communication.REMARK)
    return estimate
