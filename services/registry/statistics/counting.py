"""Counts a file of rows: one pass over all of them, a tokenizer over a sample."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
from tunesmith.registry.v1 import dataset_statistics_pb2

from services.registry.ingest.detect import Format
from services.registry.statistics.estimate import estimated_tokens
from services.registry.statistics.lengths import Lengths
from services.registry.statistics.rendering import RENDERERS, Rendered, overhead_tokens
from services.registry.statistics.repeats import Repeats
from services.registry.statistics.sample import TEXT_CHARACTERS, Longest, drawn
from services.registry.statistics.tokens import TokenCounter

# Texts that wait for the tokenizer together.
_WAITING_CHARACTERS = 4 * 1024 * 1024
# The most frequent labels are told one by one. No classifier has as many as are counted; more are texts of their own.
SHOWN_LABELS = 256
MAX_LABELS = 100_000
LABEL_CHARACTERS = 200
_NUMBERS = (int, float, bool)


class RowsUnreadable(Exception):
    """The stored rows are not what was stored; the message says where."""


@dataclass(frozen=True)
class Task:
    """What is to be counted, in plain values: it crosses to another process."""

    path: str
    format: str
    row_count: int
    size_bytes: int
    # The dataset's id: the sample has to be the same each time.
    seed: str
    # The tokenizer.json that counts; empty means an estimate.
    tokenizer: str
    # Whether turns get what a chat template puts around them.
    chat_template: bool


def count(task: Task) -> dataset_statistics_pb2.DatasetStatistics:
    """Everything but what the database knows better. Raises RowsUnreadable or TokenizerUnreadable."""
    content, lengths = _Content(), _lengths(task)
    render = RENDERERS[cast(Format, Format.Value(task.format))]
    for number, row in _rows(Path(task.path)):
        try:
            rendered = render(row)
        except (KeyError, TypeError) as error:
            raise RowsUnreadable(f"line {number + 1} is not what its dataset was stored as") from error
        content.add(row, rendered)
        lengths.add(number, rendered, overhead_tokens(rendered, chat_template=task.chat_template))
    statistics = content.result()
    lengths.finish(statistics)
    return statistics


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb", buffering=1024 * 1024) as file:
        for number, line in enumerate(file):
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise RowsUnreadable(f"line {number + 1} is not JSON any more") from error
            if type(row) is not dict:
                raise RowsUnreadable(f"line {number + 1} is not an object any more")
            yield number, row


def _lengths(task: Task) -> "_Estimated | _Tokenised":
    return _Tokenised(task) if task.tokenizer else _Estimated()


class _Content:
    """What every row tells without a tokenizer."""

    def __init__(self) -> None:
        self._repeats = Repeats()
        self._empty: Counter[str] = Counter()
        self._roles: Counter[str] = Counter()
        self._labels: Counter[str] = Counter()
        self._row_count = 0

    def add(self, row: dict[str, Any], rendered: Rendered) -> None:
        self._row_count += 1
        # The same values in another order of names are the same row.
        self._repeats.add(orjson.dumps(row, option=orjson.OPT_SORT_KEYS))
        for name, value in row.items():
            if (not value and type(value) not in _NUMBERS) or (type(value) is str and value.isspace()):
                self._empty[name] += 1
        if rendered.label is not None:
            self._count_label(rendered.label[:LABEL_CHARACTERS])
        if rendered.roles:
            self._roles.update(rendered.roles)
            if rendered.silent_turn:
                self._empty["messages" if "messages" in row else "conversations"] += 1

    def _count_label(self, label: str) -> None:
        if label in self._labels or len(self._labels) < MAX_LABELS:
            self._labels[label] += 1

    def result(self) -> dataset_statistics_pb2.DatasetStatistics:
        turns = self._roles.total()
        return dataset_statistics_pb2.DatasetStatistics(
            row_count=self._row_count,
            duplicate_row_count=self._repeats.count(),
            empty_value_counts=self._empty,
            role_counts=self._roles,
            label_counts=dict(self._labels.most_common(SHOWN_LABELS)),
            distinct_label_count=len(self._labels),
            mean_turns=turns / self._row_count if self._row_count else 0.0,
        )


class _Estimated:
    """Lengths by bytes, of all rows."""

    def __init__(self) -> None:
        self._lengths = Lengths()

    def add(self, number: int, rendered: Rendered, overhead: int) -> None:
        self._lengths.add(estimated_tokens(_byte_count(rendered.text)) + overhead)

    def finish(self, statistics: dataset_statistics_pb2.DatasetStatistics) -> None:
        _describe(statistics, self._lengths, longest=0)


class _Tokenised:
    """Lengths by a tokenizer, of a sample and of the longest rows."""

    def __init__(self, task: Task) -> None:
        self._counter = TokenCounter(Path(task.tokenizer))
        self._lengths = Lengths()
        self._longest = Longest()
        self._drawn = drawn(task.row_count, task.size_bytes, task.seed)
        self._next = next(self._drawn, None)
        self._waiting: list[tuple[str, int]] = []
        self._waiting_characters = 0
        self._special_tokens = True

    def add(self, number: int, rendered: Rendered, overhead: int) -> None:
        # A chat template brings its own marks; a row is either all turns or none.
        self._special_tokens = not rendered.roles
        self._longest.offer(_byte_count(rendered.text), number, rendered.text, overhead)
        if number != self._next:
            return
        self._next = next(self._drawn, None)
        self._waiting.append((rendered.text, overhead))
        self._waiting_characters += min(len(rendered.text), TEXT_CHARACTERS)
        if self._waiting_characters >= _WAITING_CHARACTERS:
            self._tokenise()

    def finish(self, statistics: dataset_statistics_pb2.DatasetStatistics) -> None:
        self._tokenise()
        _describe(statistics, self._lengths, self._longest_tokens())

    def _tokenise(self) -> None:
        found = self._counter.lengths([text for text, _ in self._waiting], special_tokens=self._special_tokens)
        for length, (_, overhead) in zip(found, self._waiting, strict=True):
            self._lengths.add(length + overhead)
        self._waiting, self._waiting_characters = [], 0

    def _longest_tokens(self) -> int:
        held = list(self._longest)
        found = self._counter.lengths([text for _, text, _ in held], special_tokens=self._special_tokens)
        whole = (
            round(length * byte_count / max(1, _byte_count(text)))
            for length, (byte_count, text, _) in zip(found, held, strict=True)
        )
        return max((length + overhead for length, (_, _, overhead) in zip(whole, held, strict=True)), default=0)


def _describe(statistics: dataset_statistics_pb2.DatasetStatistics, lengths: Lengths, longest: int) -> None:
    """Put the figures about tokens in."""
    looked_at = lengths.row_count
    statistics.sampled_row_count = looked_at
    statistics.mean_tokens = lengths.token_count / looked_at if looked_at else 0.0
    statistics.token_count = round(statistics.mean_tokens * statistics.row_count)
    statistics.median_tokens = lengths.percentile(0.5)
    statistics.p95_tokens = lengths.percentile(0.95)
    statistics.p99_tokens = lengths.percentile(0.99)
    statistics.max_tokens = max(longest, lengths.percentile(1.0))
    statistics.token_histogram.extend(lengths.histogram(statistics.max_tokens))


def _byte_count(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
