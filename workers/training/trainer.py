"""trl's supervised trainer, made from a plan and two datasets."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback
from trl import SFTConfig, SFTTrainer

from services.chassis.errors import InvalidArgument
from workers.providers.local_plan import TrainingPlan
from workers.training.base import position_count
from workers.training.recorder import Recorder
from workers.training.rows import Row
from workers.training.sink import Sink
from workers.training.tokenised import TokenisedRows
from workers.training.training_state import TrainingState

TRAINING_PATH = "datasets.training_file_id"
VALIDATION_PATH = "datasets.validation_file_id"


class Trainer(SFTTrainer):
    """trl's trainer without three of its habits. What it computes is untouched."""

    # Stores what is due behind a step.
    save: Callable[[int], None]
    _earlier: TrainingState

    def __init__(self, tokenised: TokenisedRows, **arguments: Any) -> None:
        # The rows are prepared while the trainer is made.
        self._tokenised = tokenised
        super().__init__(**arguments)

    def go_on_from(self, earlier: TrainingState) -> None:
        """Train on from where another trainer with the same arguments stood, as if it had never stopped."""
        self._earlier = earlier
        # The other one has done it.
        self.args.eval_on_start = False
        self.train(resume_from_checkpoint=str(earlier.folder))

    def _send_telemetry(self) -> None:
        """Nothing about a job leaves the machine."""

    def _prepare_dataset(
        self, dataset: Any, processing_class: Any, args: Any, packing: bool, formatting_func: Any, dataset_name: str
    ) -> Any:
        """What an earlier job tokenised is not tokenised again."""
        prepare = super()._prepare_dataset
        return self._tokenised.prepared(
            dataset_name, args, lambda: prepare(dataset, processing_class, args, packing, formatting_func, dataset_name)
        )

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """The library's own checkpoints hold pickles, and paths of this machine."""
        self.save(self.state.global_step)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self._earlier.restore_weights(self)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            self._earlier.restore_optimizer(self)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Called behind the first batches, since drawing their order takes random numbers that were drawn before."""
        self._earlier.restore_random()


def make_trainer(
    plan: TrainingPlan,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    training: list[Row],
    validation: list[Row] | None,
    tokenised: TokenisedRows,
    folder: Path,
    recorder: Recorder,
    sink: Sink,
) -> Trainer:
    """A trainer with its data tokenised; it writes below `folder` only. Raises InvalidArgument if no row is left to train on."""
    arguments = _config(plan, model, folder, sink)
    trainer = Trainer(
        tokenised,
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(training),
        eval_dataset=Dataset.from_list(validation) if validation else None,
        processing_class=tokenizer,
        peft_config=None if plan.lora is None else LoraConfig(**plan.lora),
        callbacks=[recorder],
    )
    # It prints every step's figures to standard output.
    trainer.remove_callback(PrinterCallback)
    _check_rows(trainer.train_dataset, len(training), arguments.max_length, TRAINING_PATH, sink)
    if validation:
        _check_rows(trainer.eval_dataset, len(validation), arguments.max_length, VALIDATION_PATH, sink)
    _leave_room_to_fall(trainer)
    return trainer


def _config(plan: TrainingPlan, model: PreTrainedModel, folder: Path, sink: Sink) -> SFTConfig:
    arguments = dict(plan.sft)
    positions = position_count(model)
    if positions is not None and positions < arguments["max_length"]:
        sink.warning(f"The model has positions for {positions} tokens: rows are cut there, not at {arguments['max_length']}")
        arguments["max_length"] = positions
        arguments["pad_to_multiple_of"] = arguments["pad_to_multiple_of"] and positions
    return SFTConfig(output_dir=str(folder), use_cpu=not torch.cuda.is_available(), **arguments)


def _leave_room_to_fall(trainer: Trainer) -> None:
    """transformers divides a polynomial curve by the steps left after the warm-up, which may be none."""
    if trainer.args.lr_scheduler_type == "polynomial":
        steps = total_steps(trainer)
        trainer.args.warmup_steps = min(trainer.args.get_warmup_steps(steps), steps - 1)


def total_steps(trainer: Trainer) -> int:
    """Optimiser steps of the whole run."""
    arguments = trainer.args
    if arguments.max_steps > 0:
        return arguments.max_steps
    rows: Any = trainer.train_dataset
    batches = math.ceil(len(rows) / arguments.per_device_train_batch_size)
    return int(arguments.num_train_epochs) * math.ceil(batches / arguments.gradient_accumulation_steps)


def _check_rows(dataset: Any, row_count: int, max_length: Any, field_path: str, sink: Sink) -> None:
    lost = row_count - len(dataset)
    if not len(dataset):
        text = f"no row has anything left to learn within {max_length} tokens; raise schedule.sequence_length"
        raise InvalidArgument([(field_path, text)])
    if lost:
        sink.warning(
            f"{lost} of {row_count} rows of {field_path} have nothing left to learn within {max_length} tokens and are left out"
        )
    lengths = pyarrow.compute.list_value_length(dataset.with_format("arrow")["input_ids"])
    full = pyarrow.compute.sum(pyarrow.compute.greater_equal(lengths, max_length)).as_py()
    if full:
        sink.warning(f"{full} of {row_count} rows of {field_path} fill all {max_length} tokens and may have been cut")
