"""trl's supervised trainer, with a teacher beside the rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from peft import PeftModel
from transformers import PreTrainedModel
from trl.kernels.chunked_divergence import ChunkedDivergenceFunction

from workers.training.teacher import OutputLayer
from workers.training.trainer import SupervisedTrainer

IGNORED = -100
# Of trl's generalised divergence, the one of the student from the teacher.
_FORWARD = 0.0
# What a backbone is not given: the loss's own.
_OF_THE_LOSS = ("labels", "shift_labels", "num_items_in_batch", "output_router_logits")


class DistillationTrainer(SupervisedTrainer):
    """Adds to the likelihood of the rows how far the student's distribution over each of their tokens is from the teacher's:

    (1 - teacher_weight) · NLL + teacher_weight · temperature² · KL(teacher ‖ student), both at `temperature` (Hinton 2015,
    arXiv 1503.02531), over the tokens that count in the NLL, and as a mean over them. Neither model's logits ever exist in full:
    they are compared from hidden states, in parts of 4,096 tokens by 32,768 entries. The student's hidden states are those of the
    pass that its likelihood comes from: its layers run once.
    """

    def __init__(
        self, *given: Any, teacher: PreTrainedModel | None, temperature: float, teacher_weight: float, **arguments: Any
    ) -> None:
        super().__init__(*given, **arguments)
        self._temperature, self._teacher_weight = temperature, teacher_weight
        self._teacher = None if teacher is None else self.accelerator.prepare_model(teacher, evaluation_mode=True)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The rows' own loss, and what the teacher says of it."""
        if self._teacher is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        student = self._student(model)
        with _heard(student.base_model) as hidden_states:
            computed = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        likelihood, *outputs = computed if return_outputs else (computed,)
        divergence, count = self._divergence(student, hidden_states[0], inputs)
        mode = "train" if model.training else "eval"
        mean = self.accelerator.gather_for_metrics(divergence.detach() / count.clamp(min=1)).mean().item()
        self._metrics[mode]["teacher_divergence"].append(mean)
        # As trl divides the likelihood: by the tokens of the whole step, where it is one of several batches or devices.
        divergence = divergence / torch.as_tensor(count if num_items_in_batch is None else num_items_in_batch).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            divergence = divergence * (self.accelerator.num_processes // self.get_tp_size())
        share = self._teacher_weight
        loss = (1 - share) * likelihood + share * self._temperature**2 * divergence
        return (loss, *outputs) if return_outputs else loss

    def _student(self, model: Any) -> PreTrainedModel:
        unwrapped: Any = self.accelerator.unwrap_model(model)
        student: Any = unwrapped.get_base_model() if isinstance(unwrapped, PeftModel) else unwrapped
        return cast(PreTrainedModel, student)

    def _divergence(
        self, student: PreTrainedModel, hidden_states: torch.Tensor, inputs: dict[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The divergence of all tokens that count, added up, and how many they are."""
        assert self._teacher is not None
        teacher: PreTrainedModel = self.accelerator.unwrap_model(self._teacher)
        asked = {name: value for name, value in inputs.items() if name not in _OF_THE_LOSS}
        labels = inputs["labels"]
        counts = labels[:, 1:] != IGNORED
        with self.accelerator.autocast():
            with torch.no_grad():
                said = teacher.base_model(**asked).last_hidden_state
            divergence = divergences(
                hidden_states[:, :-1][counts],
                OutputLayer.of(student),
                said[:, :-1][counts],
                OutputLayer.of(teacher),
                self._temperature,
            )
        return divergence.sum(), counts.sum()


def divergences(
    student_states: torch.Tensor,
    student: OutputLayer,
    teacher_states: torch.Tensor,
    teacher: OutputLayer,
    temperature: float,
) -> torch.Tensor:
    """KL(teacher ‖ student) at a temperature for each of the hidden states, in nats. Gradients go to the student alone."""
    shared = min(student.weight.shape[0], teacher.weight.shape[0])
    student, teacher = student.first(shared), teacher.first(shared)
    divergence, _ = ChunkedDivergenceFunction.apply(
        student_states,
        student.weight,
        student.bias,
        teacher_states,
        teacher.weight,
        teacher.bias,
        _FORWARD,
        temperature,
        student.scale,
        student.softcapping,
        teacher.scale,
        teacher.softcapping,
    )
    return divergence


@contextmanager
def _heard(backbone: torch.nn.Module) -> Iterator[list[torch.Tensor]]:
    """The hidden states that a backbone ends with while this is open."""
    heard: list[torch.Tensor] = []
    handle = backbone.register_forward_hook(lambda module, given, output: heard.append(output.last_hidden_state))
    try:
        yield heard
    finally:
        handle.remove()
