"""Supervised fine-tuning on pictures with captions: the likelihood of the caption, given the picture and a question."""

from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedModel
from trl import SFTConfig, SFTTrainer

from services.chassis.errors import FailedPrecondition, InvalidArgument
from workers.training.attempt import Attempt
from workers.training.base import adapter_config, check_complete, check_modules, keep_differentiable, loading_arguments
from workers.training.durable import Durable
from workers.training.images import PictureRows, require_pillow
from workers.training.job_rows import TRAINING_PATH, VALIDATION_PATH


class CaptionTrainer(Durable, SFTTrainer):
    """trl's supervised trainer on pictures, which it reads when they are wanted."""


def train(attempt: Attempt) -> None:
    """Train and store the result."""
    require_pillow()
    assignment, inputs, plan = attempt.assignment, attempt.inputs, attempt.plan
    if plan.adapter is not None and plan.adapter["peft_type"] != "LORA":
        text = "a soft prompt would stand between a picture and its place in the text; use LORA, or train on rows of text"
        raise InvalidArgument([("method.type", text)])

    attempt.stage("Reading the rows")
    training = PictureRows(inputs.training_rows, assignment.training_dataset.format, TRAINING_PATH)
    validation = None
    if plan.evaluations and inputs.validation_rows is not None:
        validation = PictureRows(inputs.validation_rows, assignment.validation_dataset.format, VALIDATION_PATH)

    attempt.stage(f"Loading {assignment.base_model.display_name}")
    model, processor = _load(attempt)

    attempt.stage("Preparing the data")
    arguments = dict(plan.trainer)
    # A text that is cut might lose the places of its picture.
    attempt.sink.warning(
        f"Rows with pictures are not cut at {arguments['max_length']} tokens: lower the batch if memory is short"
    )
    trainer = CaptionTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(attempt.trainer_folder),
            use_cpu=not torch.cuda.is_available(),
            remove_unused_columns=False,
            **arguments | {"max_length": None},
        ),
        train_dataset=_as_they_are_wanted(training),
        eval_dataset=_as_they_are_wanted(validation) if validation is not None else None,
        processing_class=processor,
        peft_config=adapter_config(inputs, plan),
        callbacks=[attempt.recorder],
    )
    attempt.train(trainer, processor)


def _load(attempt: Attempt) -> tuple[PreTrainedModel, Any]:
    inputs, plan = attempt.inputs, attempt.plan
    pinned = {"revision": inputs.revision} if inputs.revision else {}
    arguments = loading_arguments(inputs, plan)
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(inputs.base_model, output_loading_info=True, **arguments)
        processor = AutoProcessor.from_pretrained(inputs.base_model, trust_remote_code=False, **pinned)
    except ValueError as error:
        text = "the base model does not read pictures and write text; choose one that does, or train on rows of text"
        raise FailedPrecondition("BASE_MODEL_READS_NO_PICTURES", text) from error
    model, loading = loaded
    check_complete(loading["missing_keys"])
    if getattr(processor, "image_processor", None) is None or not processor.chat_template:
        text = "the base model has no processor with a chat template, which says where a picture stands; register it with both"
        raise FailedPrecondition("BASE_MODEL_WITHOUT_PROCESSOR", text)
    keep_differentiable(model)
    if plan.adapter is not None:
        check_modules(model, plan.adapter["target_modules"])
    return model, processor


def _as_they_are_wanted(rows: PictureRows) -> Dataset:
    """Rows whose pictures are decoded when a batch is made of them."""

    def read(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        numbers = batch["row"]
        others = [rows.others[number] for number in numbers]
        return {
            "image": [rows.picture(number) for number in numbers],
            "prompt": [other["prompt"] for other in others],
            "completion": [other["completion"] for other in others],
        }

    return Dataset.from_dict({"row": list(range(len(rows)))}).with_transform(read)
