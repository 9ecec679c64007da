"""What is switched on to save memory or time."""

from collections.abc import Iterator

from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.config.v1.optimizations_pb2 import (
    OPTIMIZATION_FEATURE_DYNAMIC_PADDING,
    OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING,
    OPTIMIZATION_FEATURE_OPTIMIZER_8BIT,
)

from services.preflight import form
from services.preflight.defaults.suggestion import Circumstances, Suggestion

_PATH = "optimizations.enabled"
# In this order, each on top of those before it, until a batch of one row fits.
_SAVERS = (OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING, OPTIMIZATION_FEATURE_OPTIMIZER_8BIT)


def of_optimizations(circumstances: Circumstances, draft: JobConfiguration) -> Iterator[Suggestion]:
    """Padding by batch always; what trades time for memory only where it is needed."""
    acting = circumstances.provider.capabilities.optimizations
    wanted = [feature for feature in (OPTIMIZATION_FEATURE_DYNAMIC_PADDING,) if feature in acting]
    reasons = ["no time is spent on padding that the batch does not need"] if wanted else []
    trial = JobConfiguration()
    trial.CopyFrom(draft)
    trial.schedule.batch_size = draft.schedule.batch_size or 1
    for saver in _SAVERS:
        trial.optimizations.enabled[:] = wanted
        if circumstances.fits(trial) is not False:
            break
        if saver in acting:
            wanted.append(saver)
            reasons.append(f"{form.short(_PATH, saver).lower().replace('_', ' ')}, because it does not fit without")
    if wanted:
        yield Suggestion(_PATH, [form.enum_name(_PATH, feature) for feature in wanted], "; ".join(reasons))
