"""A ceiling on a row's tokens that the model has no positions for, and rows that are longer than the ceiling."""

from collections.abc import Iterator

from tunesmith.config.v1 import method_pb2
from tunesmith.preflight.v1.finding_pb2 import Finding, Fix
from tunesmith.registry.v1.dataset_statistics_pb2 import DatasetStatistics

from services.preflight import form
from services.preflight.facts import Facts
from services.preflight.findings import fix, note, put
from services.preflight.formats import holds_pictures
from services.preflight.row_lengths import position_count

PATH = "schedule.sequence_length"


def check(facts: Facts) -> Iterator[Finding]:
    """SEQUENCE_BEYOND_POSITIONS, ROWS_WILL_BE_CUT."""
    if facts.training_dataset is not None and holds_pictures(facts.training_dataset.format):
        return
    length = facts.configuration.schedule.sequence_length
    positions = position_count(facts.configuration, facts.base_model)
    if 0 < positions < length:
        text = f"{PATH} is {length}, and the model has positions for {positions} tokens; rows are cut to that"
        yield note("SEQUENCE_BEYOND_POSITIONS", PATH, text, _shortened(positions))
    if facts.configuration.method.objective == method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING:
        # What does not fit becomes another row.
        return
    ceiling = min(length, positions) if positions else length
    share = share_longer_than(facts.statistics, ceiling) if facts.statistics is not None else 0.0
    if share > 0 and facts.statistics is not None:
        longest = facts.statistics.max_tokens
        text = (
            f"{share:.1%} of the rows are longer than {ceiling} tokens and will be cut (the longest has {longest}); "
            f"raise {PATH} if memory allows, or split them"
        )
        yield note("ROWS_WILL_BE_CUT", PATH, text)


def share_longer_than(statistics: DatasetStatistics, length: int) -> float:
    """The share of rows with more tokens than that, at least: rows of a bin that lies on both sides count as shorter."""
    rows = sum(one.row_count for one in statistics.token_histogram)
    longer = sum(one.row_count for one in statistics.token_histogram if one.lower > length)
    if rows and not longer and statistics.max_tokens > length:
        longer = 1
    return longer / rows if rows else 0.0


def _shortened(positions: int) -> Fix | None:
    least = form.knobs()[PATH].rules.int32.gte
    if positions < least:
        # The ceiling can't be set as low; the model's own limit holds all the same.
        return None
    return fix(f"Set sequence length to {positions}", put(PATH, positions))
