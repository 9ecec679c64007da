"""Writing trained weights so that they load where Tunesmith is not installed."""

import json
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from tunesmith.worker.v1 import worker_service_pb2

from workers.providers.local import classification
from workers.providers.local.plan import TrainingPlan
from workers.training import labels, model_card, positions

# Beside an adapter: keyword arguments for the base model's `from_pretrained`, where it was changed before it was trained.
BASE_ARGUMENTS = "base_model_arguments.json"


def save_weights(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    assignment: worker_service_pb2.Assignment,
    plan: TrainingPlan,
    losses: model_card.Losses,
) -> None:
    """Safetensors, configuration, tokenizer and model card: no pickle, and no path of this machine."""
    folder.mkdir(parents=True)
    if isinstance(model, PeftModel):
        _save_adapter(model, folder, assignment)
    else:
        _save_model(model, folder, plan)
    tokenizer.save_pretrained(folder)
    base_arguments = _base_arguments(model, plan)
    if base_arguments:
        _write(folder / BASE_ARGUMENTS, base_arguments)
    names: list[str] = []
    if classification.is_objective(assignment.configuration):
        names = labels.names_of(model)
        _save_labels(model, folder)
    card = model_card.render(assignment, losses, base_arguments, names)
    # peft writes a card of its own with nothing filled in; this replaces it.
    (folder / "README.md").write_text(card, encoding="utf-8")


def _save_adapter(model: PeftModel, folder: Path, assignment: worker_service_pb2.Assignment) -> None:
    # "auto", the default, looks the base model up on the hub to see whether the vocabulary was resized. It never is here.
    model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    base = assignment.base_model
    config = model.active_peft_config
    amendments: dict[str, Any] = {"base_model_name_or_path": model_card.base_name(base), "revision": base.revision or None}
    if getattr(config, "tokenizer_name_or_path", None):
        amendments["tokenizer_name_or_path"] = model_card.base_name(base)
    modules = getattr(config, "target_modules", None)
    if modules is not None and not isinstance(modules, str):
        # A set's order changes from process to process; the file's hash should not.
        amendments["target_modules"] = sorted(modules)
    _amend(folder / "adapter_config.json", amendments)


def _save_labels(model: Any, folder: Path) -> None:
    """The configuration of the classifier that an adapter fits; a model that is whole has it."""
    if isinstance(model, PeftModel):
        config: Any = model.get_base_model().config
        settings = config.to_diff_dict()
        # How frozen weights were packed while they stood still.
        settings.pop("quantization_config", None)
        _write(folder / "config.json", settings)


def _base_arguments(model: Any, plan: TrainingPlan) -> dict[str, Any]:
    """What the base model has to be loaded with where the weights alone don't say it; empty if they do."""
    if "rope_scaling" not in plan.weights or not isinstance(model, PeftModel):
        return {}
    base: Any = model.get_base_model()
    return positions.loading_arguments(base.config)


def _save_model(model: PreTrainedModel, folder: Path, plan: TrainingPlan) -> None:
    dtype = getattr(torch, plan.saved_dtype)
    # Tied weights are one storage under two names and have to stay one.
    converted: dict[int, torch.Tensor] = {}
    weights = {
        name: converted.setdefault(tensor.data_ptr(), tensor.to(dtype) if tensor.is_floating_point() else tensor)
        for name, tensor in model.state_dict().items()
    }
    model.save_pretrained(folder, state_dict=weights)
    # The trainer switches the cache off while it trains; whoever loads the result to generate wants it.
    _amend(folder / "config.json", {"use_cache": True, "dtype": plan.saved_dtype})


def _amend(path: Path, amendments: dict[str, Any]) -> None:
    _write(path, json.loads(path.read_text(encoding="utf-8")) | amendments)


def _write(path: Path, settings: dict[str, Any]) -> None:
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
