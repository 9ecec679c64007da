"""Long documents in pieces, so that nothing of them is lost."""

import copy
from typing import Any

from datasets import Dataset

from services.chassis.errors import InvalidArgument
from workers.training.sink import Sink
from workers.training.trainer import SupervisedTrainer

# What torch's losses leave out.
IGNORED = -100


def pieces(tokens: list[int], row_tokens: int) -> list[tuple[list[int], list[int]]]:
    """Tokens and labels of the rows that a document becomes, none longer than `row_tokens`, which is at least two.

    A piece begins with the last token of the one before, which it does not count: so every token but the document's first is
    predicted exactly once. A document of one token has nothing to predict, and becomes no row.
    """
    starts = range(0, max(len(tokens) - 1, 0), row_tokens - 1)
    rows = (tokens[start : start + row_tokens] for start in starts)
    return [(row, [IGNORED, *row[1:]]) for row in rows]


class PretrainingTrainer(SupervisedTrainer):
    """Splits what does not fit into a row, where the other one cuts it."""

    layout = "pieces"

    def _tokenise(self, dataset: Any, processing_class: Any, args: Any, formatting_func: Any, dataset_name: str) -> Any:
        whole = copy.copy(args)
        whole.max_length = None
        documents = super()._tokenise(dataset, processing_class, whole, formatting_func, dataset_name)

        def split(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            rows = [row for tokens in batch["input_ids"] for row in pieces(tokens, args.max_length)]
            return {"input_ids": [tokens for tokens, _ in rows], "labels": [labels for _, labels in rows]}

        return documents.map(split, batched=True, remove_columns=documents.column_names)

    def check_rows(self, dataset_name: str, row_count: int, field_path: str, sink: Sink) -> None:
        """Tell what became of a dataset's documents. Raises InvalidArgument if nothing is left to learn."""
        rows: Dataset = self.documents[dataset_name]
        if not len(rows):
            raise InvalidArgument([(field_path, "no text has a second token to learn; upload texts that say something")])
        if len(rows) != row_count:
            sink.stage(f"The {row_count} texts of {field_path} are {len(rows)} rows of at most {self.args.max_length} tokens")
