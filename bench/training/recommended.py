"""What preflight's advisers make of the rows and this machine, for as many rows a step as trl's own settings have."""

from collections.abc import Sequence

from google.protobuf.json_format import ParseDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.pool.v1 import pool_pb2
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2, dataset_statistics_pb2

from bench.training.cases import BATCH_SIZE, EQUAL, Settings
from services.preflight.defaults.of_model import of_model
from services.preflight.defaults.of_optimizations import of_optimizations
from services.preflight.defaults.of_schedule import documents_per_row
from services.preflight.defaults.suggestion import Circumstances
from services.registry.statistics.lengths import Lengths
from workers import devices
from workers.providers.local.provider import LOCAL

_SLICE_S = 0.15


def recommended(row_lengths: Sequence[int]) -> Settings:
    """Precision, optimisations and batch."""
    counted = Lengths()
    for length in row_lengths:
        counted.add(length)
    statistics = dataset_statistics_pb2.DatasetStatistics(
        token_histogram=counted.histogram(max(row_lengths)), max_tokens=max(row_lengths)
    )
    circumstances = Circumstances(
        base_model=base_model_pb2.BaseModel(),
        dataset=dataset_pb2.Dataset(row_count=len(row_lengths)),
        statistics=statistics,
        recipe=None,
        provider=LOCAL,
        device=_measured(),
        device_count=1,
        fits=lambda _: True,
    )
    draft = ParseDict(EQUAL.configuration(), JobConfiguration())
    draft.schedule.ClearField("batch_size")
    del draft.optimizations.enabled[:]
    (precision,) = of_model(circumstances, draft)
    (optimizations,) = of_optimizations(circumstances, draft)
    ParseDict({"optimizations": {"enabled": optimizations.value}}, draft)
    documents = documents_per_row(circumstances, draft)
    names = tuple(name.removeprefix("OPTIMIZATION_FEATURE_") for name in optimizations.value)
    number = precision.value.removeprefix("MODEL_PRECISION_")
    if documents == 1:
        return Settings(number, names)
    # A sequence at a time fills this many tokens, which is all that a CPU's kernels ask for; the step is over as many rows.
    return Settings(number, names, batch_size=1, gradient_accumulation=max(1, round(BATCH_SIZE / documents)))


def _measured() -> pool_pb2.Device:
    """This machine as an idle pool would have measured it."""
    from workers.training.probing import Probing

    probing = Probing([devices.cpu()], lambda: 0)
    while (found := probing.advance(_SLICE_S)) is None:
        pass
    return found[0]
