"""The model that a distillation imitates."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from services.chassis.errors import FailedPrecondition, InvalidArgument
from workers.training.inputs import Inputs

TEACHER_PATH = "method.distillation_config.teacher_model"


def load_teacher(inputs: Inputs, weights: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """The teacher, frozen and in evaluation mode. Raises InvalidArgument if it numbers tokens otherwise than `tokenizer` does."""
    if inputs.teacher_model is None:
        raise InvalidArgument([(TEACHER_PATH, "the job was given no teacher; update the agent and the services together")])
    pinned = {"revision": inputs.teacher_revision} if inputs.teacher_revision else {}
    own: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(inputs.teacher_model, trust_remote_code=False, **pinned)
    difference = vocabulary_difference(tokenizer, own)
    if difference:
        text = (
            f"the teacher has another vocabulary than the model that learns: {difference}; "
            "choose a teacher that was trained with the same tokenizer"
        )
        raise InvalidArgument([(TEACHER_PATH, text)])
    loaded: Any = AutoModelForCausalLM.from_pretrained(inputs.teacher_model, output_loading_info=True, **pinned, **weights)
    teacher, loading = loaded
    if loading["missing_keys"]:
        names = ", ".join(sorted(loading["missing_keys"])[:5])
        text = f"the teacher's files lack weights ({names}), which would be random; register a complete causal model"
        raise FailedPrecondition("TEACHER_INCOMPLETE", text)
    if OutputLayer.of(teacher).weight.shape[0] < len(tokenizer):
        text = f"the teacher tells {OutputLayer.of(teacher).weight.shape[0]} tokens apart and the tokenizer has {len(tokenizer)}"
        raise InvalidArgument([(TEACHER_PATH, f"{text}; choose a teacher with all of them")])
    teacher.requires_grad_(False)
    teacher.eval()
    return teacher


def vocabulary_difference(one: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase) -> str:
    """What the second tokenizer does otherwise, as a clause; empty if both give every token the same number."""
    known, numbers = one.get_vocab(), other.get_vocab()
    for token, number in sorted(known.items(), key=lambda item: item[1]):
        if numbers.get(token) != number:
            return f"{token!r} is token {number} of the one and {numbers.get(token, 'no token')} of the other"
    if len(numbers) != len(known):
        return f"the one has {len(known)} tokens and the other {len(numbers)}"
    return ""


@dataclass(frozen=True)
class OutputLayer:
    """What makes logits of a model's last hidden states: softcapping · tanh(scale · (h · weightᵀ + bias) / softcapping)."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    scale: float
    softcapping: float | None

    @classmethod
    def of(cls, model: PreTrainedModel) -> "OutputLayer":
        """As transformers' models name their factors, and as trl's fused output layer reads them."""
        head: Any = model.get_output_embeddings()
        config = model.config.get_text_config()
        names = ("logit_scale", "output_multiplier", "lm_head_multiplier")
        scale = next((getattr(config, name) for name in names if getattr(config, name, None) is not None), None)
        scaling = getattr(config, "logits_scaling", None)
        if scale is None and scaling is not None:
            scale = scaling if config.model_type == "hyperclovax" else 1 / scaling
        softcapping = getattr(config, "final_logit_softcapping", None)
        return cls(_whole(head.weight), _whole(getattr(head, "bias", None)), 1.0 if scale is None else float(scale), softcapping)

    def first(self, count: int) -> "OutputLayer":
        """Of the first tokens only: models of one tokenizer round their vocabularies up to different sizes."""
        bias = None if self.bias is None else self.bias[:count]
        return OutputLayer(self.weight[:count], bias, self.scale, self.softcapping)


def _whole(tensor: Any) -> Any:
    """A weight that is split over processes, gathered; gradients find their way back."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
