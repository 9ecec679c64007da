"""Texts with labels as a trainer reads them."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from services.chassis.errors import InvalidArgument
from workers.training.labels import Labels
from workers.training.rows import Row, RowError
from workers.training.sink import Sink


class LabelledTexts:
    """Tokens of each text, and its label's number."""

    def __init__(
        self,
        rows: Sequence[Row],
        labels: Labels,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        field_path: str,
        sink: Sink,
    ) -> None:
        """Texts are cut at `max_length` tokens, special ones among them. Raises InvalidArgument with the line of a bad row."""
        encoded: Any = tokenizer([row["text"] for row in rows], truncation=True, max_length=max_length)
        self._tokens: list[list[int]] = encoded["input_ids"]
        self._numbers = numbers(labels, rows, field_path)
        empty = next((index for index, tokens in enumerate(self._tokens) if not tokens), None)
        if empty is not None:
            raise _bad(empty, "its text is empty", field_path)
        full = sum(len(tokens) >= max_length for tokens in self._tokens)
        if full:
            sink.warning(f"{full} of {len(rows)} rows of {field_path} fill all {max_length} tokens and may have been cut")

    def __len__(self) -> int:
        return len(self._tokens)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self._tokens[index], "labels": self._numbers[index]}


class TextCollator:
    """Rows to a batch, padded to its longest or to a multiple of `pad_to_multiple_of`."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, pad_to_multiple_of: int | None) -> None:
        self._tokenizer = tokenizer
        self._pad_to_multiple_of = pad_to_multiple_of

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Tokens, mask and labels."""
        texts = {"input_ids": [row["input_ids"] for row in rows]}
        batch: Any = self._tokenizer.pad(texts, pad_to_multiple_of=self._pad_to_multiple_of, return_tensors="pt")
        return {**batch, "labels": torch.tensor([row["labels"] for row in rows])}


def numbers(labels: Labels, rows: Sequence[Row], field_path: str) -> list[int]:
    """The labels' numbers. Raises InvalidArgument with the line of a label that no training row has."""
    found = []
    for index, row in enumerate(rows):
        try:
            found.append(labels.number(row["label"]))
        except RowError as error:
            raise _bad(index, str(error), field_path) from error
    return found


def _bad(index: int, reason: str, field_path: str) -> InvalidArgument:
    text = f"line {index + 1} can't be trained on: {reason}; correct the row and upload the dataset again"
    return InvalidArgument([(field_path, text)])
