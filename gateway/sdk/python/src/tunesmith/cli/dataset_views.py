"""Datasets, and what was counted of them, as a terminal shows them."""

import json
from collections.abc import Iterable, Iterator, Mapping

from google.protobuf.json_format import MessageToDict
from rich.table import Table
from tunesmith.cli import wording
from tunesmith.cli.output import facts, table
from tunesmith.registry.v1 import dataset_pb2, dataset_statistics_pb2
from tunesmith.registry.v1 import registry_service_pb2 as registry

PREFIX = "DATASET_FORMAT_"
# A preview is to look at, not to copy; -o json has the whole values.
PREVIEW_CHARACTERS = 300
BAR_CHARACTERS = 40
_BLOCK, _EIGHTHS = "█", " ▏▎▍▌▋▊▉"


def many(datasets: Iterable[dataset_pb2.Dataset]) -> Table:
    """A list of datasets."""
    rows = [
        (
            dataset.id,
            dataset.display_name,
            str(dataset.version),
            format_name(dataset),
            f"{dataset.row_count:,}",
            wording.size(dataset.size_bytes),
            wording.ago(dataset.create_time),
        )
        for dataset in datasets
    ]
    return table("ID", "NAME", "VERSION", "FORMAT", "ROWS", "SIZE", "CREATED", rows=rows)


def one(dataset: dataset_pb2.Dataset) -> Table:
    """All of a dataset."""
    columns = [
        f"{column.name} ({wording.choice(dataset_pb2.ColumnType, column.type, 'COLUMN_TYPE_')})" for column in dataset.columns
    ]
    return facts(
        [
            ("id", dataset.id),
            ("name", dataset.display_name),
            ("version", str(dataset.version)),
            ("description", dataset.description),
            ("file", dataset.filename),
            ("converted from", dataset.parent_id),
            ("format", format_name(dataset)),
            ("rows", f"{dataset.row_count:,}"),
            ("columns", ", ".join(columns)),
            ("tokens", f"about {wording.count(dataset.estimated_token_count)}" if dataset.estimated_token_count else ""),
            ("size", wording.size(dataset.size_bytes)),
            ("sha256", dataset.sha256),
            ("integrity", _integrity(dataset.integrity)),
            ("created", wording.ago(dataset.create_time)),
        ]
    )


def rows(response: registry.PreviewDatasetResponse) -> Table:
    """The first rows, a line a value."""
    shown = []
    for index, row in enumerate(response.rows, 1):
        for column, value in MessageToDict(row).items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            cut = f"{text[:PREVIEW_CHARACTERS]}…" if len(text) > PREVIEW_CHARACTERS else text
            shown.append((str(index), column, cut))
    return table("ROW", "COLUMN", "VALUE", rows=shown, whole=2)


def figures(statistics: dataset_statistics_pb2.DatasetStatistics) -> Table:
    """What was counted, and by what."""
    sampled = statistics.sampled_row_count
    looked_at = f"{sampled:,} rows drawn from {statistics.row_count:,}" if sampled < statistics.row_count else "all rows"
    counted_by = statistics.tokenizer_base_model_id or "nothing: estimated at one token every four bytes"
    return facts(
        [
            ("rows", f"{statistics.row_count:,}"),
            ("equal to an earlier row", f"{statistics.duplicate_row_count:,}"),
            ("with nothing in", _counts(statistics.empty_value_counts)),
            ("turns", f"{statistics.mean_turns:.1f} a row: {_counts(statistics.role_counts)}" if statistics.mean_turns else ""),
            ("labels", _labels(statistics)),
            ("tokens", f"{statistics.token_count:,}"),
            ("tokens a row", f"mean {statistics.mean_tokens:.0f}, median {statistics.median_tokens:,}"),
            ("95 % of rows have up to", f"{statistics.p95_tokens:,} tokens"),
            ("99 %", f"{statistics.p99_tokens:,} tokens"),
            ("the longest has", f"{statistics.max_tokens:,} tokens"),
            ("tokens counted of", looked_at),
            ("tokens counted by", counted_by),
        ]
    )


def histogram(statistics: dataset_statistics_pb2.DatasetStatistics) -> Table:
    """How many rows are how long."""
    most = max((each.row_count for each in statistics.token_histogram), default=0)
    lines = [
        (_range(each), f"{each.row_count:,}", _bar(each.row_count / most if most else 0.0)) for each in statistics.token_histogram
    ]
    return table("TOKENS", "ROWS", "", rows=lines, whole=3)


def format_name(dataset: dataset_pb2.Dataset) -> str:
    """A format's short name."""
    return wording.choice(dataset_pb2.DatasetFormat, dataset.format, PREFIX)


def _labels(statistics: dataset_statistics_pb2.DatasetStatistics) -> str:
    if not statistics.distinct_label_count:
        return ""
    rest = statistics.distinct_label_count - len(statistics.label_counts)
    return _counts(statistics.label_counts) + (f" and {rest:,} more" if rest else "")


def _range(each: dataset_statistics_pb2.TokenBin) -> str:
    last = each.upper - 1
    return f"{each.lower:,}" if last <= each.lower else f"{each.lower:,} to {last:,}"


def _bar(share: float) -> str:
    """A bar to an eighth of a character; whatever is more than nothing shows."""
    eighths = round(share * BAR_CHARACTERS * 8)
    if share and not eighths:
        eighths = 1
    return (_BLOCK * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(_most_first(counts))


def _most_first(counts: Mapping[str, int]) -> Iterator[str]:
    for name, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"{name} {number:,}"


def _integrity(integrity: dataset_pb2.DatasetIntegrity) -> str:
    status = wording.choice(dataset_pb2.IntegrityStatus, integrity.status, "INTEGRITY_STATUS_")
    looked = wording.ago(integrity.check_time)
    told = f"{status} {looked}".strip() if status else ""
    return f"{told}: {integrity.message}" if integrity.message else told
