"""What is switched on to save memory or time."""

import json
from collections.abc import Iterator

from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.config.v1.optimizations_pb2 import (
    OPTIMIZATION_FEATURE_DYNAMIC_PADDING,
    OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING,
    OPTIMIZATION_FEATURE_LENGTH_GROUPING,
    OPTIMIZATION_FEATURE_OPTIMIZER_8BIT,
    OPTIMIZATION_FEATURE_SEQUENCE_PACKING,
    OptimizationFeature,
)

from services.chassis.knobs import resolved
from services.preflight import form, row_batches, row_lengths
from services.preflight.defaults.of_schedule import LARGEST_BATCH, rows_of_a_step
from services.preflight.defaults.suggestion import Circumstances, Suggestion
from workers.providers.local.packing import packing_refusal
from workers.providers.provider import SENT

_PATH = "optimizations.enabled"
# In this order, each on top of those before it, until a batch of one row fits.
_SAVERS = (OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING, OPTIMIZATION_FEATURE_OPTIMIZER_8BIT)
# Less padding than this is not worth another order of the rows.
_LEAST_PADDING = 0.1
# Fewer documents than this leave a packed row half empty, or alone.
_LEAST_DOCUMENTS = 2.0


def of_optimizations(circumstances: Circumstances, draft: JobConfiguration) -> Iterator[Suggestion]:
    """What saves padding; what trades time for memory only where it is needed."""
    wanted, reasons = _against_padding(circumstances, draft)
    trial = JobConfiguration()
    trial.CopyFrom(draft)
    trial.schedule.batch_size = draft.schedule.batch_size or 1
    acting = circumstances.provider.capabilities.optimizations
    for saver in _SAVERS:
        trial.optimizations.enabled[:] = wanted
        if circumstances.fits(trial) is not False:
            break
        if saver in acting:
            wanted.append(saver)
            reasons.append(f"{form.short(_PATH, saver).lower().replace('_', ' ')}, because it does not fit without")
    if wanted:
        yield Suggestion(_PATH, [form.enum_name(_PATH, feature) for feature in wanted], "; ".join(reasons))


def _against_padding(circumstances: Circumstances, draft: JobConfiguration) -> tuple[list[OptimizationFeature], list[str]]:
    """Packing where several rows fit into one sequence, batches of equal lengths where padding is much, and padding by batch."""
    limit = row_lengths.ceiling(resolved(draft), circumstances.base_model)
    lengths = row_batches.sampled_lengths(circumstances.statistics, limit)
    at_once = draft.schedule.batch_size or min(LARGEST_BATCH, rows_of_a_step(circumstances))
    share = row_batches.padding_share(lengths, at_once) if lengths else 0.0
    if share >= _LEAST_PADDING:
        padded = f"batches of {at_once} rows would be {share:.0%} padding"
        documents = row_batches.documents_per_row(lengths, limit)
        packs = _acts(circumstances, draft, OPTIMIZATION_FEATURE_SEQUENCE_PACKING) and _packable(circumstances)
        # A batch size that somebody set counts rows, and a packed row is many.
        free = not draft.schedule.batch_size
        if packs and free and _LEAST_DOCUMENTS <= documents <= rows_of_a_step(circumstances):
            reason = f"{padded}; packed, about {documents:.0f} rows share a sequence of {limit} tokens and nothing is padded"
            return [OPTIMIZATION_FEATURE_SEQUENCE_PACKING], [reason]
        if _acts(circumstances, draft, OPTIMIZATION_FEATURE_LENGTH_GROUPING):
            return [OPTIMIZATION_FEATURE_LENGTH_GROUPING], [f"{padded}; rows of about the same length need next to none"]
    if not _acts(circumstances, draft, OPTIMIZATION_FEATURE_DYNAMIC_PADDING):
        return [], []
    return [OPTIMIZATION_FEATURE_DYNAMIC_PADDING], ["no time is spent on padding that the batch does not need"]


def _acts(circumstances: Circumstances, draft: JobConfiguration, feature: OptimizationFeature) -> bool:
    trial = JobConfiguration()
    trial.CopyFrom(draft)
    trial.optimizations.enabled[:] = [feature]
    lowering = circumstances.provider.lower(resolved(trial), trial)
    return any(field.field_path.startswith(_PATH) and field.action == SENT for field in lowering)


def _packable(circumstances: Circumstances) -> bool:
    text = circumstances.base_model.configuration_json
    return not text or packing_refusal(json.loads(text)) is None
