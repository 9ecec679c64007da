"""Loading the base model, and seeing at once what would make training on it fail later."""

from collections.abc import Iterable
from typing import Any

import torch
from peft import PeftConfig, get_peft_config
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from trl.chat_template_utils import get_training_chat_template, has_generation_markers

from services.chassis.errors import FailedPrecondition, InvalidArgument
from workers.providers.local.method import ALL_LINEAR
from workers.providers.local.plan import TrainingPlan
from workers.training import positions
from workers.training.inputs import Inputs

# What peft can put an adapter on; GPT-2's layers are Conv1D.
_ADAPTABLE = ("Linear", "Conv1D", "Embedding", "Conv2d", "Linear4bit", "Linear8bitLt")
_PACKS_ON_CPUS = "support_avx512bf16_for_cpu"
# A soft prompt that begins with the embeddings of a text.
_FROM_TEXT = "TEXT"


def load_base(inputs: Inputs, plan: TrainingPlan) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base model and its tokenizer: safetensors only, and never the repository's own code."""
    arguments = loading_arguments(inputs, plan)
    loaded: Any = AutoModelForCausalLM.from_pretrained(inputs.base_model, output_loading_info=True, **arguments)
    model, loading = loaded
    keep_differentiable(model)
    check_complete(loading["missing_keys"], "causal model")
    tokenizer = AutoTokenizer.from_pretrained(inputs.base_model, trust_remote_code=False, **_pinned(inputs))
    if "rope_scaling" in plan.weights:
        tokenizer.model_max_length = max(tokenizer.model_max_length, positions.position_count(model) or 0)
    _check_tokenizer(model, tokenizer)
    if plan.adapter is not None and "target_modules" in plan.adapter:
        check_modules(model, plan.adapter["target_modules"])
    return model, tokenizer


def loading_arguments(inputs: Inputs, plan: TrainingPlan) -> dict[str, Any]:
    """For any class's `from_pretrained`: the plan's, with what it says of quantization and positions made into objects.

    Raises InvalidArgument for what the device or the model can't do.
    """
    if plan.trainer["fp16"] and not torch.cuda.is_available():
        text = "FP16 scales its loss on a GPU only, and this pool trains on its CPU; use BF16 or FP32, or run a pool with a GPU"
        raise InvalidArgument([("model.precision", text)])
    given = dict(plan.weights) | _pinned(inputs)
    quantization, scaling = given.pop("quantization_config", None), given.pop("rope_scaling", None)
    if quantization is not None:
        given["quantization_config"] = BitsAndBytesConfig(**quantization)
    if scaling is not None:
        given["config"] = AutoConfig.from_pretrained(inputs.base_model, trust_remote_code=False, **_pinned(inputs))
        positions.stretch(given["config"], scaling)
    return given


def check_complete(missing: Iterable[str], kind: str = "model") -> None:
    """Raise FailedPrecondition if weights are missing that the base model's files should have; `kind` is what to register."""
    names = sorted(missing)
    if names:
        shown = ", ".join(names[:5])
        text = f"the base model's files lack weights ({shown}), which would start random; register a complete {kind}"
        raise FailedPrecondition("BASE_MODEL_INCOMPLETE", text)


def keep_differentiable(model: PreTrainedModel) -> None:
    """On a CPU with AVX512-BF16, bitsandbytes packs 4-bit weights for inference at the first evaluation, and what is packed
    passes no gradient on when training goes on.
    """
    for module in model.modules():
        if hasattr(module, _PACKS_ON_CPUS):
            setattr(module, _PACKS_ON_CPUS, False)


def adapter_config(inputs: Inputs, plan: TrainingPlan) -> PeftConfig | None:
    """What peft makes of a plan; None to train every weight."""
    if plan.adapter is None:
        return None
    given = dict(plan.adapter)
    if given.get("prompt_tuning_init") == _FROM_TEXT:
        given |= {"tokenizer_name_or_path": inputs.base_model, "tokenizer_kwargs": {**_pinned(inputs)} or None}
    return get_peft_config(given)


def room_for_rows(model: PreTrainedModel, plan: TrainingPlan) -> int | None:
    """Longest row the model has positions for, in tokens, behind a soft prompt; None if its configuration does not say."""
    count = positions.position_count(model)
    return None if count is None else count - (plan.adapter or {}).get("num_virtual_tokens", 0)


def _pinned(inputs: Inputs) -> dict[str, str]:
    return {"revision": inputs.revision} if inputs.revision else {}


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


def check_modules(model: PreTrainedModel, targets: str | list[str]) -> None:
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
