"""Which datasets `local` trains on, and which of their tokens count in the loss."""

from enum import Enum
from typing import Any

from tunesmith.config.v1 import datasets_pb2, schedule_pb2
from tunesmith.registry.v1 import dataset_pb2

from workers.providers.provider import REFUSED, FieldLowering


class RowShape(Enum):
    """The shapes of rows that trl's supervised trainer reads."""

    TEXT = "text"
    PROMPT_COMPLETION = "prompt and completion"
    MESSAGES = "messages"


SHAPES: dict[dataset_pb2.DatasetFormat, RowShape] = {
    dataset_pb2.DATASET_FORMAT_MESSAGES: RowShape.MESSAGES,
    dataset_pb2.DATASET_FORMAT_SHAREGPT: RowShape.MESSAGES,
    dataset_pb2.DATASET_FORMAT_TEXT: RowShape.TEXT,
    dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION: RowShape.PROMPT_COMPLETION,
    dataset_pb2.DATASET_FORMAT_ALPACA: RowShape.PROMPT_COMPLETION,
}

_NEEDED = "supervised fine-tuning needs messages, text, prompt and completion, Alpaca or ShareGPT rows"
UNUSABLE: dict[dataset_pb2.DatasetFormat, str] = {
    dataset_pb2.DATASET_FORMAT_UNSPECIFIED: (
        f"the dataset's format was not recognised; {_NEEDED}: rename the columns and upload it again"
    ),
    dataset_pb2.DATASET_FORMAT_PREFERENCE: (
        f"the dataset holds preference pairs, which need objective DPO; {_NEEDED}: "
        "upload the prompts with their chosen answers as prompt and completion"
    ),
    dataset_pb2.DATASET_FORMAT_IMAGE_LABEL: (
        f"the dataset holds images with labels, and this provider trains on text; {_NEEDED}: upload a text dataset"
    ),
    dataset_pb2.DATASET_FORMAT_IMAGE_CAPTION: (
        f"the dataset holds images with captions, and this provider trains on text; {_NEEDED}: upload a text dataset"
    ),
    dataset_pb2.DATASET_FORMAT_INTERACTIONS: (
        f"the dataset holds interactions of users with items, which only a recommender learns from; {_NEEDED}: "
        "upload a text dataset"
    ),
}


def refuse_dataset(
    dataset_format: dataset_pb2.DatasetFormat,
    strategy: datasets_pb2.DatasetStrategy | None,
    field_path: str = "datasets.training_file_id",
) -> list[FieldLowering]:
    """Why this provider can't train on such a dataset; empty if it can.

    `strategy` is None or 0 where it is unset. `field_path` says which of the job's datasets it is.
    """
    if dataset_format not in SHAPES:
        return [FieldLowering(field_path=field_path, action=REFUSED, detail=UNUSABLE[dataset_format])]
    is_chat = SHAPES[dataset_format] is RowShape.MESSAGES
    name = dataset_pb2.DatasetFormat.Name(dataset_format).removeprefix("DATASET_FORMAT_")
    if strategy == datasets_pb2.DATASET_STRATEGY_CHAT and not is_chat:
        reason = (
            f"strategy CHAT needs a dataset of MESSAGES or SHAREGPT, and this one was detected as {name}; "
            "leave strategy unset, set it to STANDARD, or upload messages"
        )
    elif strategy == datasets_pb2.DATASET_STRATEGY_STANDARD and is_chat:
        reason = (
            f"strategy STANDARD can't read messages, and this dataset was detected as {name}; "
            "leave strategy unset, or set it to CHAT"
        )
    else:
        return []
    return [FieldLowering(field_path="datasets.strategy", action=REFUSED, detail=reason)]


def loss_arguments(dataset_format: dataset_pb2.DatasetFormat, train_on_inputs: schedule_pb2.TrainOnInputs) -> dict[str, Any]:
    """Which tokens count in the loss, as `trl.SFTConfig` spells it. A row of text has no prompt: all of it counts."""
    shape = SHAPES[dataset_format]
    answers_only = train_on_inputs != schedule_pb2.TRAIN_ON_INPUTS_ENABLED
    return {
        "completion_only_loss": answers_only and shape is RowShape.PROMPT_COMPLETION,
        "assistant_only_loss": answers_only and shape is RowShape.MESSAGES,
    }
