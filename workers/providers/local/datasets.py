"""Which datasets `local` trains on, and which of their tokens count in the loss."""

from enum import Enum
from typing import Any

from tunesmith.config.v1 import datasets_pb2, method_pb2, schedule_pb2
from tunesmith.registry.v1 import dataset_pb2

from workers.providers.local.rules import sent
from workers.providers.provider import REFUSED, FieldLowering, Rule


class RowShape(Enum):
    """What a row holds, for the trainer that reads it."""

    TEXT = "text"
    PROMPT_COMPLETION = "prompt and completion"
    MESSAGES = "messages"
    PREFERENCE = "preference pairs"
    TEXT_LABEL = "texts with labels"
    IMAGE_LABEL = "images with labels"
    IMAGE_CAPTION = "images with captions"


SHAPES: dict[dataset_pb2.DatasetFormat, RowShape] = {
    dataset_pb2.DATASET_FORMAT_MESSAGES: RowShape.MESSAGES,
    dataset_pb2.DATASET_FORMAT_SHAREGPT: RowShape.MESSAGES,
    dataset_pb2.DATASET_FORMAT_TEXT: RowShape.TEXT,
    dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION: RowShape.PROMPT_COMPLETION,
    dataset_pb2.DATASET_FORMAT_ALPACA: RowShape.PROMPT_COMPLETION,
    dataset_pb2.DATASET_FORMAT_PREFERENCE: RowShape.PREFERENCE,
    dataset_pb2.DATASET_FORMAT_TEXT_LABEL: RowShape.TEXT_LABEL,
    dataset_pb2.DATASET_FORMAT_IMAGE_LABEL: RowShape.IMAGE_LABEL,
    dataset_pb2.DATASET_FORMAT_IMAGE_CAPTION: RowShape.IMAGE_CAPTION,
}

# What each objective learns from, and how that is said. An objective that is refused is not there.
READ: dict[method_pb2.TrainingObjective, frozenset[RowShape]] = {
    method_pb2.TRAINING_OBJECTIVE_SFT: frozenset(
        {RowShape.TEXT, RowShape.PROMPT_COMPLETION, RowShape.MESSAGES, RowShape.IMAGE_CAPTION}
    ),
    method_pb2.TRAINING_OBJECTIVE_DPO: frozenset({RowShape.PREFERENCE}),
    method_pb2.TRAINING_OBJECTIVE_DISTILLATION: frozenset({RowShape.TEXT, RowShape.PROMPT_COMPLETION, RowShape.MESSAGES}),
    method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING: frozenset({RowShape.TEXT}),
    method_pb2.TRAINING_OBJECTIVE_CLASSIFICATION: frozenset({RowShape.TEXT_LABEL, RowShape.IMAGE_LABEL}),
}
NEEDED: dict[method_pb2.TrainingObjective, str] = {
    method_pb2.TRAINING_OBJECTIVE_SFT: (
        "supervised fine-tuning needs messages, text, prompt and completion, Alpaca or ShareGPT rows, or images with captions"
    ),
    method_pb2.TRAINING_OBJECTIVE_DPO: "objective DPO needs preference pairs, a chosen and a rejected answer in each row",
    method_pb2.TRAINING_OBJECTIVE_DISTILLATION: (
        "objective DISTILLATION needs messages, text, prompt and completion, Alpaca or ShareGPT rows"
    ),
    method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING: (
        "objective CONTINUED_PRETRAINING needs plain texts, and objective SFT reads questions with their answers"
    ),
    method_pb2.TRAINING_OBJECTIVE_CLASSIFICATION: "objective CLASSIFICATION needs rows of text and label, or of image and label",
}

# What a dataset of each format holds, and who learns from it instead.
_HELD: dict[dataset_pb2.DatasetFormat, str] = {
    dataset_pb2.DATASET_FORMAT_MESSAGES: "holds messages",
    dataset_pb2.DATASET_FORMAT_SHAREGPT: "holds ShareGPT conversations",
    dataset_pb2.DATASET_FORMAT_TEXT: "holds texts",
    dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION: "holds prompts and completions",
    dataset_pb2.DATASET_FORMAT_ALPACA: "holds Alpaca instructions",
    dataset_pb2.DATASET_FORMAT_UNSPECIFIED: "has a format that was not recognised",
    dataset_pb2.DATASET_FORMAT_PREFERENCE: "holds preference pairs, which need objective DPO",
    dataset_pb2.DATASET_FORMAT_IMAGE_LABEL: "holds images with labels, which need objective CLASSIFICATION",
    dataset_pb2.DATASET_FORMAT_IMAGE_CAPTION: "holds images with captions, which need objective SFT",
    dataset_pb2.DATASET_FORMAT_INTERACTIONS: "holds interactions of users with items, which only a recommender learns from",
    dataset_pb2.DATASET_FORMAT_TEXT_LABEL: "holds texts with labels, which need objective CLASSIFICATION",
}


def refuse_dataset(
    dataset_format: dataset_pb2.DatasetFormat,
    strategy: datasets_pb2.DatasetStrategy | None,
    field_path: str = "datasets.training_file_id",
    objective: method_pb2.TrainingObjective = method_pb2.TRAINING_OBJECTIVE_SFT,
) -> list[FieldLowering]:
    """Why this provider can't train on such a dataset; empty if it can.

    `strategy` is None or 0 where it is unset. `field_path` says which of the job's datasets it is. An objective that the provider
    does not train for is refused elsewhere; here it counts as SFT.
    """
    objective = objective if objective in READ else method_pb2.TRAINING_OBJECTIVE_SFT
    shape = SHAPES.get(dataset_format)
    if shape not in READ[objective]:
        detail = f"the dataset {_HELD[dataset_format]}; {NEEDED[objective]}: upload such a dataset, or change method.objective"
        return [FieldLowering(field_path=field_path, action=REFUSED, detail=detail)]
    if shape is RowShape.PREFERENCE:
        # Pairs may be of turns or of text: the rows themselves say which.
        return []
    is_chat = shape is RowShape.MESSAGES
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
        "completion_only_loss": answers_only and shape in (RowShape.PROMPT_COMPLETION, RowShape.IMAGE_CAPTION),
        "assistant_only_loss": answers_only and shape is RowShape.MESSAGES,
    }


RULES: dict[str, Rule] = {
    "datasets.training_file_id": sent("its rows are what the trainer learns from"),
    "datasets.validation_file_id": sent("its rows are what the trainer evaluates on"),
    "datasets.strategy": sent("it has to fit the dataset's format, which decides how a row becomes text"),
}
