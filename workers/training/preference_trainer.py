"""trl's trainer of preferences, made from a plan and two datasets of pairs."""

from types import SimpleNamespace
from typing import Any

import pyarrow.compute
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import DPOConfig, DPOTrainer
from trl.trainer.utils import disable_dropout_in_model

from services.chassis.errors import InvalidArgument
from workers.training.attempt import Attempt
from workers.training.base import adapter_config
from workers.training.durable import Durable
from workers.training.job_rows import TRAINING_PATH, VALIDATION_PATH
from workers.training.row_table import table_of
from workers.training.rows import Row
from workers.training.sink import Sink
from workers.training.trainer import fitting_arguments

# Of a tokenised pair.
COLUMNS = ["prompt_ids", "chosen_ids", "rejected_ids"]


class NoReference(torch.nn.Module):
    """A reference for which every token is certain: the logarithm of each likelihood is 0, so that a ratio to it is the trained
    model's own likelihood. That is DPO without a reference; trl has no word for it any more.
    """

    def __init__(self, config: Any) -> None:
        super().__init__()
        # Of the model in whose reference's place it stands: trl reads it while it makes a trainer.
        self.config = config

    def forward(self, input_ids: torch.Tensor, **_: Any) -> SimpleNamespace:
        """What trl reads of a model's answer, for each token but the first of a row."""
        return SimpleNamespace(log_probs=torch.zeros_like(input_ids[:, 1:], dtype=torch.float32))


class PreferenceTrainer(Durable, DPOTrainer):
    """trl's trainer of preferences, which leaves out pairs that nothing can be learnt from."""

    # A language model, NoReference, or None for the trained model with its adapter switched off.
    ref_model: Any

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
        """Tokenised, and without pairs whose answers begin behind the ceiling or are the same up to it."""
        prepared = super()._prepare_dataset(dataset, processing_class, args, dataset_name)

        def tells(prompt_ids: list[int], chosen_ids: list[int], rejected_ids: list[int]) -> bool:
            left = args.max_length - len(prompt_ids)
            return left > 0 and chosen_ids[:left] != rejected_ids[:left]

        return prepared.select_columns(COLUMNS).filter(tells, input_columns=COLUMNS)


def make_preference_trainer(
    attempt: Attempt,
    model: PreTrainedModel,
    reference: PreTrainedModel | None,
    tokenizer: PreTrainedTokenizerBase,
    training: list[Row],
    validation: list[Row] | None,
) -> PreferenceTrainer:
    """A trainer with its data tokenised. Raises InvalidArgument if no pair is left to train on.

    `reference` is what a model that is trained as a whole is compared with. None: an adapter's base, which is the model with its
    adapter switched off, or nothing for a run without a reference.
    """
    plan, sink = attempt.plan, attempt.sink
    arguments = DPOConfig(
        output_dir=str(attempt.trainer_folder),
        use_cpu=not torch.cuda.is_available(),
        # Of the model's own dropout, which would make the likelihoods that are compared random; an adapter's is a knob.
        disable_dropout=False,
        **fitting_arguments(plan, model, sink),
    )
    disable_dropout_in_model(model)
    reference_free = plan.objective["reference_free"]
    # trl wants a language model, and of none at all it reads one from where it thinks the trained one is from.
    compared_with: Any = NoReference(model.config) if reference_free else reference
    trainer = PreferenceTrainer(
        model=model,
        ref_model=compared_with,
        args=arguments,
        train_dataset=table_of(training),
        eval_dataset=table_of(validation) if validation else None,
        processing_class=tokenizer,
        peft_config=adapter_config(attempt.inputs, plan),
        callbacks=[attempt.recorder],
    )
    if reference_free:
        # A new one: trl has given the first one the forward pass of a language model.
        trainer.ref_model = NoReference(model.config)
    _check_pairs(trainer.train_dataset, len(training), arguments.max_length, TRAINING_PATH, sink)
    if validation:
        _check_pairs(trainer.eval_dataset, len(validation), arguments.max_length, VALIDATION_PATH, sink)
    return trainer


def _check_pairs(dataset: Any, pair_count: int, max_length: Any, field_path: str, sink: Sink) -> None:
    if not len(dataset):
        text = (
            f"no pair has answers that differ within {max_length} tokens; raise schedule.sequence_length, or upload pairs of two "
            "different answers"
        )
        raise InvalidArgument([(field_path, text)])
    lost = pair_count - len(dataset)
    if lost:
        sink.warning(
            f"{lost} of {pair_count} rows of {field_path} have no answers that differ within {max_length} tokens and are left out"
        )
    table = dataset.with_format("arrow")
    prompts, chosen, rejected = (pyarrow.compute.list_value_length(table[name]) for name in COLUMNS)
    longest = pyarrow.compute.add(prompts, pyarrow.compute.max_element_wise(chosen, rejected))
    full = pyarrow.compute.sum(pyarrow.compute.greater(longest, max_length)).as_py()
    if full:
        sink.warning(f"{full} of {pair_count} rows of {field_path} are longer than {max_length} tokens and are cut there")
