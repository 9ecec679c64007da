"""What a classifier is to tell apart, as far as the rows have been counted."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding

from services.preflight.facts import Facts
from services.preflight.findings import error, note, warning
from services.preflight.formats import OF_LABELS

PATH = "datasets.training_file_id"
# As the recipe has it.
MAX_LABELS = 10_000
# A label of fewer rows is hardly learnt, and hardly measured.
FEW_ROWS = 5
_SHOWN = 5
# Rows for each label on average. Below, the column holds texts or numbers of its own, and no choice of a few.
_ROWS_A_LABEL = 2


def check(facts: Facts) -> Iterator[Finding]:
    """LABELS_TOO_FEW, LABELS_TOO_MANY, LABELS_ARE_NO_CHOICE, LABELS_RARE."""
    dataset, statistics = facts.training_dataset, facts.statistics
    if dataset is None or statistics is None or dataset.format not in OF_LABELS or not statistics.distinct_label_count:
        return
    count, name = statistics.distinct_label_count, dataset.display_name
    if count < 2:
        only = next(iter(statistics.label_counts), "")
        text = f"every row of {name} has the label {only!r}, so there is nothing to tell apart; add rows of another one"
        yield error("LABELS_TOO_FEW", PATH, text)
        return
    if count > MAX_LABELS:
        text = f"{name} has {count:,} different labels; at most {MAX_LABELS:,} are told apart, so group them"
        yield error("LABELS_TOO_MANY", PATH, text)
        return
    if statistics.row_count < _ROWS_A_LABEL * count:
        text = f"{name} has {count:,} different labels in {statistics.row_count:,} rows, which is hardly a choice of a few"
        yield warning("LABELS_ARE_NO_CHOICE", PATH, f"{text}; check that the column label names classes")
        return
    rare = sorted(label for label, rows in statistics.label_counts.items() if rows < FEW_ROWS)
    if rare:
        shown = ", ".join(map(repr, rare[:_SHOWN])) + (", …" if len(rare) > _SHOWN else "")
        text = f"{len(rare)} of {count:,} labels of {name} have fewer than {FEW_ROWS} rows ({shown}) and are hardly learnt"
        yield note("LABELS_RARE", PATH, f"{text}; add rows, or leave them out")
