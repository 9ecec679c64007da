"""All advisers, one after another on the same draft."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.provider.v1 import lowering_pb2

from services.chassis.knobs import resolved
from services.preflight.defaults.of_datasets import of_datasets
from services.preflight.defaults.of_hardware import of_hardware
from services.preflight.defaults.of_method import of_adapter, of_method
from services.preflight.defaults.of_model import of_model
from services.preflight.defaults.of_optimizations import of_optimizations
from services.preflight.defaults.of_optimizer import of_optimizer
from services.preflight.defaults.of_recipe import of_recipe
from services.preflight.defaults.of_schedule import of_batch, of_schedule
from services.preflight.defaults.suggestion import Adviser, Circumstances, Suggestion

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
    for adviser in ADVISERS:
        for suggestion in adviser(circumstances, draft):
            if _is_set(draft, suggestion.path):
                continue
            trial = JobConfiguration()
            trial.CopyFrom(draft)
            ParseDict(_nested(suggestion.path, suggestion.value), trial)
            if suggestion.path not in _idle_paths(circumstances, trial) - _idle_paths(circumstances, draft):
                draft.CopyFrom(trial)
                yield suggestion


def _idle_paths(circumstances: Circumstances, draft: JobConfiguration) -> set[str]:
    lowering = circumstances.provider.lower(resolved(draft), draft)
    # A list's items are answered for one by one: `optimizations.enabled[0]`.
    return {field.field_path.partition("[")[0] for field in lowering if field.action in _IDLE}


def _is_set(message: Message, path: str) -> bool:
    name, _, rest = path.partition(".")
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.is_repeated:
        return len(getattr(message, name)) > 0
    return message.HasField(name) and (not rest or _is_set(getattr(message, name), rest))


def _nested(path: str, value: Any) -> dict[str, Any]:
    name, _, rest = path.partition(".")
    return {name: _nested(rest, value) if rest else value}
