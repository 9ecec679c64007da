"""Loading the base model, and seeing at once what would make training on it fail later."""

from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from trl.chat_template_utils import get_training_chat_template, has_generation_markers

from services.chassis.errors import FailedPrecondition, InvalidArgument
from workers.providers.local_plan import ALL_LINEAR, TrainingPlan
from workers.training.inputs import Inputs

# What peft can put an adapter on; GPT-2's layers are Conv1D.
_ADAPTABLE = ("Linear", "Conv1D", "Embedding", "Conv2d")


def load_base(inputs: Inputs, plan: TrainingPlan) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base model and its tokenizer: safetensors only, and never the repository's own code."""
    pinned = {"revision": inputs.revision} if inputs.revision else {}
    loaded: Any = AutoModelForCausalLM.from_pretrained(inputs.base_model, output_loading_info=True, **pinned, **plan.weights)
    model, loading = loaded
    if loading["missing_keys"]:
        names = ", ".join(sorted(loading["missing_keys"])[:5])
        text = f"the base model's files lack weights ({names}), which would start random; register a complete causal model"
        raise FailedPrecondition("BASE_MODEL_INCOMPLETE", text)
    tokenizer = AutoTokenizer.from_pretrained(inputs.base_model, trust_remote_code=False, **pinned)
    _check_tokenizer(model, tokenizer)
    if plan.lora is not None:
        _check_modules(model, plan.lora["target_modules"])
    return model, tokenizer


def position_count(model: PreTrainedModel) -> int | None:
    """Longest sequence the model has positions for, in tokens; None if its configuration does not say."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def check_chat_template(tokenizer: PreTrainedTokenizerBase, *, assistant_only: bool) -> None:
    """Raise if messages can't be rendered, or if the answers in them can't be told from the rest."""
    if tokenizer.chat_template is None:
        text = "the base model has no chat template; upload prompt and completion rows, or choose a model that has one"
        raise InvalidArgument([("datasets.training_file_id", text)])
    if assistant_only and not has_generation_markers(tokenizer.chat_template):
        try:
            get_training_chat_template(tokenizer)
        except ValueError as error:
            text = (
                "the base model's chat template has no {% generation %} markers and trl knows no version of it that has, "
                "so the assistant's tokens can't be told from the rest; set train_on_inputs to ENABLED"
            )
            raise InvalidArgument([("schedule.train_on_inputs", text)]) from error


def _check_tokenizer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    if tokenizer.eos_token is None:
        text = "the base model's tokenizer has no end-of-sequence token, so no answer could be taught to end; add one to it"
        raise FailedPrecondition("TOKENIZER_WITHOUT_EOS", text)
    embeddings: Any = model.get_input_embeddings()
    if len(tokenizer) > embeddings.num_embeddings:
        text = (
            f"the tokenizer has {len(tokenizer)} tokens but the model has embeddings for {embeddings.num_embeddings}; "
            "register the model with the tokenizer it was trained with"
        )
        raise FailedPrecondition("TOKENIZER_TOO_LARGE", text)


def _check_modules(model: PreTrainedModel, targets: str | list[str]) -> None:
    """peft only complains when no name matches at all; one misspelt name among others would be left out in silence."""
    if targets == ALL_LINEAR:
        return
    names = [name for name, module in model.named_modules() if _is_adaptable(module)]
    unknown = [target for target in targets if not any(_matches(name, target) for name in names)]
    output = _output_layer(model)
    if output in targets:
        text = f"{output} is the model's output layer, which trl computes without its adapter; remove it"
        raise InvalidArgument([("method.lora_config.trainable_modules", text)])
    if unknown:
        known = ", ".join(sorted({name.rpartition(".")[2] for name in names} - {output}))
        text = f"the model has no {', '.join(unknown)}; it has {known}, and all-linear takes every linear layer"
        raise InvalidArgument([("method.lora_config.trainable_modules", text)])


def _matches(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")


def _is_adaptable(module: torch.nn.Module) -> bool:
    return type(module).__name__ in _ADAPTABLE


def _output_layer(model: PreTrainedModel) -> str | None:
    output = model.get_output_embeddings()
    return next((name for name, module in model.named_modules() if module is output), None)
