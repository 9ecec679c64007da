"""trl's supervised trainer, made from a plan and two datasets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import SFTConfig, SFTTrainer

from services.chassis.errors import InvalidArgument
from workers.providers.local.plan import TrainingPlan
from workers.training.attempt import Attempt
from workers.training.base import adapter_config, room_for_rows
from workers.training.durable import Durable
from workers.training.grouping import length_groups, token_counts
from workers.training.job_rows import TRAINING_PATH, VALIDATION_PATH
from workers.training.packing import DocumentCollator, attend_by_document, check_that_documents_stay_apart, packed
from workers.training.row_table import table_of
from workers.training.rows import Row
from workers.training.sink import Sink
from workers.training.tokenised import ROWS, TokenisedRows


class SupervisedTrainer(Durable, SFTTrainer):
    """trl's supervised trainer, which tokenises no row twice."""

    # How a dataset becomes rows of tokens; those of one layout are kept apart from those of another.
    layout = ROWS

    def __init__(self, tokenised: TokenisedRows, **arguments: Any) -> None:
        # The rows are prepared while the trainer is made.
        self._tokenised = tokenised
        # Before they are packed, as trl names them.
        self.documents: dict[str, Any] = {}
        super().__init__(**arguments)
        if self.args.packing:
            self.data_collator = DocumentCollator(pad_token_id=self._tokenizer.pad_token_id, padding_free=True)

    def _prepare_dataset(
        self, dataset: Any, processing_class: Any, args: Any, packing: bool, formatting_func: Any, dataset_name: str
    ) -> Any:
        """What an earlier job tokenised is not tokenised again. Rows are cut and left out as without packing, and then packed."""

        def tokenise() -> Any:
            return self._tokenise(dataset, processing_class, args, formatting_func, dataset_name)

        documents = self._tokenised.prepared(dataset_name, args, tokenise, self.layout)
        self.documents[dataset_name] = documents
        return packed(documents, args.max_length) if packing and len(documents) else documents

    def _tokenise(self, dataset: Any, processing_class: Any, args: Any, formatting_func: Any, dataset_name: str) -> Any:
        """Rows of tokens, none longer than the ceiling and each with something to learn."""
        return super()._prepare_dataset(dataset, processing_class, args, False, formatting_func, dataset_name)

    def check_rows(self, dataset_name: str, row_count: int, field_path: str, sink: Sink) -> None:
        """Tell what became of a dataset's rows. Raises InvalidArgument if nothing is left to learn."""
        _check_rows(self.documents[dataset_name], row_count, self.args.max_length, field_path, sink)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """Of rows grouped by length, in an order that another attempt finds again."""
        if self.args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        return length_groups(self.args, token_counts(self.train_dataset).to_pylist())


def make_trainer(
    attempt: Attempt,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    training: list[Row],
    validation: list[Row] | None,
    make: Callable[..., SupervisedTrainer] = SupervisedTrainer,
) -> SupervisedTrainer:
    """A trainer with its data tokenised; `make` makes it of its arguments.

    Raises InvalidArgument if no row is left to train on, and FailedPrecondition if packed rows would see each other.
    """
    plan, sink = attempt.plan, attempt.sink
    arguments = _config(plan, model, attempt.trainer_folder, sink)
    if arguments.packing:
        attend_by_document(model)
    trainer = make(
        TokenisedRows(attempt.inputs.tokenised_folder, attempt.assignment),
        model=model,
        args=arguments,
        train_dataset=table_of(training),
        eval_dataset=table_of(validation) if validation else None,
        processing_class=tokenizer,
        peft_config=adapter_config(attempt.inputs, plan),
        callbacks=[attempt.recorder],
    )
    trainer.check_rows("train", len(training), TRAINING_PATH, sink)
    if validation:
        trainer.check_rows("eval", len(validation), VALIDATION_PATH, sink)
    if arguments.packing:
        # Flash attention refuses what is not in the precision that it is trained in.
        with trainer.accelerator.autocast():
            check_that_documents_stay_apart(trainer.model, model)
    return trainer


def fitting_arguments(plan: TrainingPlan, model: PreTrainedModel, sink: Sink) -> dict[str, Any]:
    """The trainer's arguments, with rows no longer than the model has positions for."""
    arguments = dict(plan.trainer)
    room = room_for_rows(model, plan)
    if room is not None and room < arguments["max_length"]:
        text = f"The model has positions for {room} tokens of a row: rows end there, not at {arguments['max_length']}"
        sink.warning(text)
        arguments["max_length"] = room
        arguments["pad_to_multiple_of"] = arguments["pad_to_multiple_of"] and room
    return arguments


def _config(plan: TrainingPlan, model: PreTrainedModel, folder: Path, sink: Sink) -> SFTConfig:
    return SFTConfig(output_dir=str(folder), use_cpu=not torch.cuda.is_available(), **fitting_arguments(plan, model, sink))


def _check_rows(dataset: Any, row_count: int, max_length: Any, field_path: str, sink: Sink) -> None:
    lost = row_count - len(dataset)
    if not len(dataset):
        text = f"no row has anything left to learn within {max_length} tokens; raise schedule.sequence_length"
        raise InvalidArgument([(field_path, text)])
    if lost:
        sink.warning(
            f"{lost} of {row_count} rows of {field_path} have nothing left to learn within {max_length} tokens and are left out"
        )
    full = pyarrow.compute.sum(pyarrow.compute.greater_equal(token_counts(dataset), max_length)).as_py()
    if full:
        sink.warning(f"{full} of {row_count} rows of {field_path} fill all {max_length} tokens and may have been cut")
