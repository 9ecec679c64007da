"""Rows that share sequences: how they are put together, and that none sees another.

A packed row holds whole documents, up to `sequence_length` tokens of them, found by trl's best fit decreasing; the rows are
drawn in the order of the seed. A batch is laid out as one sequence without any padding, positions begin anew with each document,
and attention stays within it. A step's loss is the mean over all its tokens that count, as trl has it for padded rows: so
the loss of packed rows is that of the same documents in a padded batch.
"""

from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedModel
from trl import pack_dataset
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from services.chassis.errors import FailedPrecondition
from workers.providers.local.packing import packing_refusal
from workers.training.attention import WITHIN_DOCUMENTS, NotWithinDocuments
from workers.training.tokenised import COLUMNS

_FLASH = "flash_attention"
# Documents of the test, in tokens. Not equal, so that a length that got lost is noticed.
_TRIED = (5, 3, 4)
# What a document's logits may move with another's tokens, and what they may differ from its own alone, as shares of what other
# tokens move in their own document. The first is nothing on a CPU, the second rounding, since shapes differ; positions that go on
# moved GPT-2's by 0.6.
_MOST_MOVED, _MOST_APART = 0.02, 0.2


class DocumentCollator(DataCollatorForLanguageModeling):
    """trl's collator without padding, which also tells where documents end as plain numbers: reading them from a tensor would
    stop a GPU in each layer."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """One sequence of all documents of all rows."""
        batch = super().torch_call(examples)
        batch["document_lengths"] = tuple(batch["cu_seq_lens_q"].diff().tolist())
        return batch


def packed(documents: Dataset, row_tokens: int) -> Dataset:
    """Tokenised documents of at most `row_tokens` tokens as rows of several, with their lengths."""
    return pack_dataset(documents.select_columns(COLUMNS), row_tokens, "bfd", {"keep_in_memory": True})


def attend_by_document(model: PreTrainedModel) -> None:
    """Have a model's attention stay within documents. Raises FailedPrecondition for one whose layers can't."""
    refusal = packing_refusal(model.config.to_dict())
    if refusal is not None:
        raise _unpackable(model, refusal)
    if not model.config._attn_implementation.startswith(_FLASH):
        model.set_attn_implementation(WITHIN_DOCUMENTS)


def check_that_documents_stay_apart(model: Any, base: PreTrainedModel) -> None:
    """Run a dozen tokens through the model, and raise FailedPrecondition if a document sees another or counts on from it.

    `model` is `base` or what peft made of it. Takes no random numbers and leaves no trace.
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            apart = _stay_apart(model)
    except NotWithinDocuments as error:
        raise _unpackable(base, f"{error}, which is not computed for row after row; use LENGTH_GROUPING") from error
    finally:
        model.train(training)
    if not apart:
        raise _unpackable(base, "its layers carry what they read from one row into the next; use LENGTH_GROUPING")


def _stay_apart(model: Any) -> bool:
    device = next(model.parameters()).device
    vocabulary = model.get_input_embeddings().weight.shape[0]
    draw = torch.Generator().manual_seed(0)
    documents = [torch.randint(vocabulary, (length,), generator=draw) for length in _TRIED]
    others = [(documents[0] + 1 + vocabulary // 2) % vocabulary, *documents[1:]]
    before, after = (_logits(model, given, device) for given in (documents, others))
    alone = _logits(model, documents[1:2], device)
    start, end = _TRIED[0], _TRIED[0] + _TRIED[1]
    own = float((before[:start] - after[:start]).abs().max())
    unmoved = float((before[start:] - after[start:]).abs().max()) <= _MOST_MOVED * own
    return unmoved and float((before[start:end] - alone).abs().max()) <= _MOST_APART * own


def _logits(model: Any, documents: list[torch.Tensor], device: torch.device) -> torch.Tensor:
    examples = [{"input_ids": document.tolist()} for document in documents]
    batch = DocumentCollator(pad_token_id=0, padding_free=True)(examples)
    del batch["labels"]
    given = {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}
    logits: torch.Tensor = model(**given, use_cache=False).logits[0]
    return logits.float()


def _unpackable(model: PreTrainedModel, reason: str) -> FailedPrecondition:
    text = f"rows of {type(model).__name__} can't be packed: {reason} instead of SEQUENCE_PACKING"
    return FailedPrecondition("ROWS_NOT_PACKABLE", text)
