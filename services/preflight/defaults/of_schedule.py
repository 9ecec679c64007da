"""How long, in what batches, and how often it is looked at."""

from collections.abc import Iterator

from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration

from services.chassis.knobs import resolved
from services.preflight import row_batches, row_lengths
from services.preflight.defaults.suggestion import Circumstances, Suggestion

_SHORTEST_SEQUENCE, _LONGEST_SEQUENCE = 512, 32_768
LARGEST_BATCH = 8
_MOST_ACCUMULATION = 16
_EVALUATIONS = 5
# Rows up to a bound, and what suits so many: passes over them, and rows that one step averages over. A step over more rows is
# steadier, but a run should have at least some dozens of steps.
_BY_ROWS = ((100, 5, 8), (1_000, 3, 16), (10_000, 3, 32), (100_000, 2, 64))
_MOST_ROWS = (1, 128)


def of_schedule(circumstances: Circumstances, draft: JobConfiguration) -> Iterator[Suggestion]:
    """Epochs, sequence length, evaluations and checkpoints."""
    rows = circumstances.row_count
    if rows is not None and not draft.schedule.HasField("max_steps"):
        epochs, _ = _suited(rows)
        reason = "more passes would memorise them" if epochs < _BY_ROWS[0][1] else "few rows need several passes"
        yield Suggestion("schedule.epochs", epochs, f"{rows:,} rows; {reason}")
    yield from _sequence_length(circumstances)
    if draft.datasets.HasField("validation_file_id"):
        yield Suggestion("schedule.evaluations", _EVALUATIONS, "enough to see whether it still learns or begins to memorise")


def of_batch(circumstances: Circumstances, draft: JobConfiguration) -> Iterator[Suggestion]:
    """The largest batch that fits, and accumulation up to the batch that suits so many rows. A packed row is several of them."""
    documents = documents_per_row(circumstances, draft)
    wanted = max(1, round(rows_of_a_step(circumstances) / documents))
    most = 2 ** (min(LARGEST_BATCH, wanted).bit_length() - 1)
    batch = draft.schedule.batch_size or _largest_that_fits(circumstances, draft, most)
    name = circumstances.device.name if circumstances.device is not None and circumstances.device.name else "the device"
    packed = f"packed rows of about {documents:.0f} each, " if documents > 1 else ""
    yield Suggestion("schedule.batch_size", batch, f"{packed}the largest power of two up to {most} that fits on {name}")
    steps = max(1, min(_MOST_ACCUMULATION, round(wanted / (batch * max(1, circumstances.device_count)))))
    together = round(batch * steps * max(1, circumstances.device_count) * documents)
    rows = circumstances.row_count
    why = "a steady step" if rows is None else f"a steady step, and enough steps in {rows:,} rows"
    yield Suggestion("schedule.gradient_accumulation", steps, f"{together} rows together make {why}")


def rows_of_a_step(circumstances: Circumstances) -> int:
    """Rows of the dataset that one step had best average over."""
    return _MOST_ROWS[1] if circumstances.row_count is None else _suited(circumstances.row_count)[1]


def documents_per_row(circumstances: Circumstances, draft: JobConfiguration) -> float:
    """Rows of the dataset in one row of a batch: 1 where they are not packed, or nobody has counted how long they are."""
    configuration = resolved(draft)
    execution = circumstances.provider.execution
    if execution is None or not execution(configuration).packing:
        return 1.0
    limit = row_lengths.ceiling(configuration, circumstances.base_model)
    lengths = row_batches.sampled_lengths(circumstances.statistics, limit)
    return row_batches.documents_per_row(lengths, limit) if lengths else 1.0


def _suited(rows: int) -> tuple[int, int]:
    return next(((epochs, batch) for bound, epochs, batch in _BY_ROWS if rows < bound), _MOST_ROWS)


def _sequence_length(circumstances: Circumstances) -> Iterator[Suggestion]:
    statistics = circumstances.statistics
    positions = circumstances.base_model.architecture.max_position_count or _LONGEST_SEQUENCE
    if statistics is None or not statistics.p99_tokens:
        return
    length = _SHORTEST_SEQUENCE
    while length < statistics.p99_tokens and length * 2 <= min(positions, _LONGEST_SEQUENCE):
        length *= 2
    fits = "99 of 100 rows fit" if length >= statistics.p99_tokens else "as long as the model reads"
    yield Suggestion("schedule.sequence_length", length, f"{fits}: they have up to {statistics.p99_tokens:,} tokens")


def _largest_that_fits(circumstances: Circumstances, draft: JobConfiguration, most: int) -> int:
    trial = _copy(draft)
    batch = 1
    while batch * 2 <= most:
        trial.schedule.batch_size = batch * 2
        if circumstances.fits(trial) is False:
            break
        batch *= 2
    return batch


def _copy(draft: JobConfiguration) -> JobConfiguration:
    copy = JobConfiguration()
    copy.CopyFrom(draft)
    return copy
