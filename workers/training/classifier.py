"""Base models with a head that classifies: what is loaded, what starts new, and what an adapter trains of it."""

from dataclasses import dataclass
from typing import Any

from peft import PeftModel, get_peft_config, get_peft_model
from torch import nn
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
)
from transformers.pytorch_utils import Conv1D

from services.chassis.errors import FailedPrecondition, InvalidArgument
from workers.providers.local.method import ALL_LINEAR
from workers.providers.local.plan import TrainingPlan
from workers.training.base import check_complete, check_modules, keep_differentiable, loading_arguments
from workers.training.inputs import Inputs
from workers.training.labels import Labels

_POOLER = "pooler"
# What transformers' families call what they classify with; known before a model is loaded.
_HEADS = ("score", "classifier", "pre_classifier", "classification_head")


@dataclass(frozen=True)
class Classifier:
    """A model to train, and what reads its rows."""

    model: PreTrainedModel
    # A tokenizer or an image processor.
    processor: Any
    # Modules that are trained whole, because some of their weights start new, or because they are what tells labels apart.
    heads: tuple[str, ...]


def load_text_classifier(inputs: Inputs, plan: TrainingPlan, labels: Labels) -> Classifier:
    """From a causal model, an encoder or a classifier. Raises FailedPrecondition for a base that can't be one."""
    tokenizer = AutoTokenizer.from_pretrained(inputs.base_model, trust_remote_code=False, **_pinned(inputs))
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            text = "the base model's tokenizer has no padding and no end token, so rows can't be put into batches; add one to it"
            raise FailedPrecondition("TOKENIZER_WITHOUT_PADDING", text)
        tokenizer.pad_token = tokenizer.eos_token
    model, heads = _load(AutoModelForSequenceClassification, inputs, plan, labels)
    # Where a row ends is told by it.
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    model.config.pad_token_id = tokenizer.pad_token_id
    return Classifier(model, tokenizer, heads)


def load_image_classifier(inputs: Inputs, plan: TrainingPlan, labels: Labels) -> Classifier:
    """From a model that reads pictures and its image processor. Raises FailedPrecondition for a base that can't be one."""
    try:
        processor = AutoImageProcessor.from_pretrained(inputs.base_model, trust_remote_code=False, **_pinned(inputs))
    except (OSError, ValueError) as error:
        text = "the base model has no image processor that transformers knows; register it with its preprocessor_config.json"
        raise FailedPrecondition("BASE_MODEL_WITHOUT_IMAGE_PROCESSOR", text) from error
    model, heads = _load(AutoModelForImageClassification, inputs, plan, labels)
    if getattr(model.config, "num_channels", 3) != 3:
        text = f"the base model reads pictures of {model.config.num_channels} channels, and rows have red, green and blue"
        raise FailedPrecondition("BASE_MODEL_CHANNELS", f"{text}; choose a model that reads three")
    return Classifier(model, processor, heads)


def known_labels(inputs: Inputs) -> dict[int, str] | None:
    """The labels that the base model tells apart already; None if it is no classifier."""
    configuration = _configuration(inputs)
    classifies = any(str(name).endswith("Classification") for name in configuration.architectures or ())
    return dict(configuration.id2label) if classifies and configuration.id2label else None


def adapted(classifier: Classifier, plan: TrainingPlan, *, text: bool) -> PreTrainedModel | PeftModel:
    """The model with the plan's adapter and its heads open, or the model itself. Raises InvalidArgument for names it has not."""
    if plan.adapter is None:
        return classifier.model
    model = classifier.model
    targets = plan.adapter["target_modules"]
    if targets == ALL_LINEAR:
        targets = _linear_modules(model, classifier.heads)
    else:
        check_modules(model, targets)
        _check_no_head(targets, classifier.heads)
    for head in classifier.heads:
        # As everything that is trained.
        model.get_submodule(head).float()
    arguments = plan.adapter | {"target_modules": targets, "modules_to_save": list(classifier.heads)}
    # A task would make peft call pictures texts.
    arguments["task_type"] = "SEQ_CLS" if text else None
    return get_peft_model(model, get_peft_config(arguments))


def _configuration(inputs: Inputs) -> Any:
    return AutoConfig.from_pretrained(inputs.base_model, trust_remote_code=False, **_pinned(inputs))


def _pinned(inputs: Inputs) -> dict[str, Any]:
    return {"revision": inputs.revision} if inputs.revision else {}


def _load(auto: Any, inputs: Inputs, plan: TrainingPlan, labels: Labels) -> tuple[PreTrainedModel, tuple[str, ...]]:
    arguments = loading_arguments(inputs, plan)
    configuration = arguments.setdefault("config", _configuration(inputs))
    for name, value in labels.configuration().items():
        setattr(configuration, name, value)
    if "quantization_config" in arguments:
        # Kept as they are, for they are trained.
        arguments["quantization_config"].llm_int8_skip_modules = list(_HEADS)
    # A head of other labels than these is replaced.
    loaded: Any = auto.from_pretrained(inputs.base_model, output_loading_info=True, ignore_mismatched_sizes=True, **arguments)
    model, loading = loaded
    keep_differentiable(model)
    new = set(loading["missing_keys"]) | {entry[0] for entry in loading["mismatched_keys"]}
    heads = _heads(model)
    check_complete(key for key in new if not _starts_new(key, heads))
    poolers = {key[: key.index(_POOLER) + len(_POOLER)] for key in new if _pooler(key)}
    return model, (*heads, *sorted(poolers))


def _heads(model: PreTrainedModel) -> tuple[str, ...]:
    """What stands beside the base model: `classifier`, `score`, or `pre_classifier` and `classifier`."""
    return tuple(
        name
        for name, module in model.named_children()
        if name != model.base_model_prefix and any(True for _ in module.parameters())
    )


def _starts_new(key: str, heads: tuple[str, ...]) -> bool:
    return key.partition(".")[0] in heads or _pooler(key)


def _pooler(key: str) -> bool:
    """Encoders that were not trained to classify are published without it."""
    return _POOLER in key.split(".")


def _linear_modules(model: PreTrainedModel, heads: tuple[str, ...]) -> list[str]:
    """Every linear layer but the heads, which are trained whole."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and not any(name == head or name.startswith(f"{head}.") for head in heads)
    ]


def _check_no_head(targets: list[str], heads: tuple[str, ...]) -> None:
    named = [target for target in targets if target in heads]
    if named:
        text = f"{', '.join(named)} is new and trained whole, so it takes no adapter; remove it"
        raise InvalidArgument([("method.lora_config.trainable_modules", text)])
