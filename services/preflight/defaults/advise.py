"""All advisers, one after another on the same draft."""

from collections.abc import Iterator

from tunesmith.client.fixes import apply_fixes
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1.finding_pb2 import Finding
from tunesmith.provider.v1 import lowering_pb2

from services.chassis.knobs import resolved
from services.preflight import form
from services.preflight.defaults.of_datasets import of_datasets
from services.preflight.defaults.of_hardware import of_hardware
from services.preflight.defaults.of_method import of_adapter, of_method
from services.preflight.defaults.of_model import of_model
from services.preflight.defaults.of_optimizations import of_optimizations
from services.preflight.defaults.of_optimizer import of_optimizer
from services.preflight.defaults.of_recipe import of_recipe
from services.preflight.defaults.of_schedule import of_batch, of_schedule
from services.preflight.defaults.suggestion import Adviser, Circumstances, Suggestion
from services.preflight.findings import fix, put

# Each sees what those before it set: a batch is chosen when everything else that takes memory is known.
ADVISERS: tuple[Adviser, ...] = (
    of_recipe,
    of_method,
    of_adapter,
    of_model,
    of_datasets,
    of_hardware,
    of_schedule,
    of_optimizations,
    of_batch,
    of_optimizer,
)
_IDLE = (lowering_pb2.LOWERING_ACTION_DROPPED, lowering_pb2.LOWERING_ACTION_REFUSED)


def advise(circumstances: Circumstances, draft: JobConfiguration) -> Iterator[Suggestion]:
    """Complete the draft in place, and say with what. What it has stays; what would not act on the provider is left out."""
    idle = _idle_paths(circumstances, draft)
    for adviser in ADVISERS:
        for suggestion in adviser(circumstances, draft):
            if form.value_at(draft, suggestion.path) not in (None, []):
                continue
            trial = apply_fixes(draft, [Finding(fix=fix("", put(suggestion.path, suggestion.value)))])
            idle_then = _idle_paths(circumstances, trial)
            if suggestion.path not in idle_then - idle:
                draft.CopyFrom(trial)
                idle = idle_then
                yield suggestion


def _idle_paths(circumstances: Circumstances, draft: JobConfiguration) -> set[str]:
    lowering = circumstances.provider.lower(resolved(draft), draft)
    # A list's items are answered for one by one: `optimizations.enabled[0]`.
    return {field.field_path.partition("[")[0] for field in lowering if field.action in _IDLE}
