"""transformers' own trainer for classifiers, with the figures that a job shows."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import torch
from torch.nn import functional
from transformers import Trainer, TrainingArguments

from workers.training.attempt import Attempt
from workers.training.durable import Durable

# How much of a batch was read: tokens of text, or patches of pictures.
Count = Callable[[dict[str, torch.Tensor]], int]


class ClassificationTrainer(Durable, Trainer):
    """The cross entropy of labels, averaged over the rows of a step however they are divided into batches."""

    def __init__(self, count: Count, **arguments: Any) -> None:
        self._count = count
        # As trl's trainers name it, which training states keep.
        self._total_train_tokens = 0
        super().__init__(
            compute_loss_func=_cross_entropy, compute_metrics=_agreement, preprocess_logits_for_metrics=_chosen, **arguments
        )

    def compute_loss(self, model: Any, inputs: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        """Counts what is learnt from."""
        if model.training:
            self._total_train_tokens += self._count(inputs)
        return super().compute_loss(model, inputs, *arguments, **named)

    def log(self, logs: dict[str, float], *arguments: Any, **named: Any) -> None:
        """With the number of tokens, as trl's trainers have it."""
        super().log(logs | {"num_tokens": float(self._total_train_tokens)}, *arguments, **named)


def make_trainer(
    attempt: Attempt,
    model: Any,
    training: Any,
    validation: Any,
    collate: Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]],
    count: Count,
) -> ClassificationTrainer:
    """A trainer on rows that can be counted and indexed, which `collate` makes into batches."""
    known = {field.name for field in fields(TrainingArguments)}
    arguments = {name: value for name, value in attempt.plan.trainer.items() if name in known}
    trainer = ClassificationTrainer(
        count,
        model=model,
        args=TrainingArguments(
            output_dir=str(attempt.trainer_folder),
            use_cpu=not torch.cuda.is_available(),
            remove_unused_columns=False,
            label_names=["labels"],
            **arguments,
        ),
        train_dataset=training,
        eval_dataset=validation,
        data_collator=collate,
        callbacks=[attempt.recorder],
    )
    return trainer


def _cross_entropy(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
    # Some heads average over a batch whatever they are told of the step.
    logits = outputs["logits"].float()
    if num_items_in_batch is None:
        return functional.cross_entropy(logits, labels)
    return functional.cross_entropy(logits, labels, reduction="sum") / num_items_in_batch


def _chosen(logits: Any, labels: torch.Tensor) -> torch.Tensor:
    """The label with the highest score, so that no evaluation keeps all scores."""
    scores: torch.Tensor = logits[0] if isinstance(logits, tuple) else logits
    return scores.argmax(-1)


def _agreement(evaluated: Any) -> dict[str, float]:
    return agreement(torch.as_tensor(evaluated.predictions), torch.as_tensor(evaluated.label_ids))


def agreement(predicted: torch.Tensor, actual: torch.Tensor) -> dict[str, float]:
    """The share of rows that are told right, and the mean of the labels' F1 scores, in which rare labels weigh as much as
    frequent ones. Labels that neither occur nor are predicted count in neither.
    """
    scores = []
    for label in torch.cat([predicted, actual]).unique():
        said, true = predicted == label, actual == label
        scores.append(2 * (said & true).sum().item() / (said.sum() + true.sum()).item())
    return {"accuracy": (predicted == actual).double().mean().item(), "macro_f1": sum(scores) / len(scores)}
