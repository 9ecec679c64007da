"""How several devices share the work."""

from collections.abc import Iterator

from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration

from services.preflight.defaults.suggestion import Circumstances, Suggestion

_BILLION = 1_000_000_000
_PATH = "hardware.strategy"


def of_hardware(circumstances: Circumstances, draft: JobConfiguration) -> Iterator[Suggestion]:
    """A strategy by the model's size; none for one device."""
    parameters = circumstances.parameter_count
    if draft.hardware.num_gpus < 2 or parameters is None:
        return
    size = f"{parameters / _BILLION:.1f} billion parameters"
    if parameters < 7 * _BILLION:
        yield Suggestion(_PATH, "DISTRIBUTION_STRATEGY_DDP", f"{size}: a model below 7 billion fits on each GPU")
    elif parameters <= 70 * _BILLION:
        yield Suggestion(_PATH, "DISTRIBUTION_STRATEGY_FSDP", f"{size}: from 7 to 70 billion the model is split over the GPUs")
    else:
        yield Suggestion(_PATH, "DISTRIBUTION_STRATEGY_ZERO_3", f"{size}: above 70 billion DeepSpeed splits everything")
