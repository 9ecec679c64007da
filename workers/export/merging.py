"""The model that an adapter and its base make together, in the precision of the base."""

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import psutil
import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    PreTrainedModel,
)

from services.chassis.errors import FailedPrecondition, ResourceExhausted
from workers.export.inputs import ADAPTER_CONFIG
from workers.export.work import Work
from workers.training.saving import BASE_ARGUMENTS

_LOADERS: dict[str, Any] = {
    "ForCausalLM": AutoModelForCausalLM,
    "ForSequenceClassification": AutoModelForSequenceClassification,
    "ForImageClassification": AutoModelForImageClassification,
}
# peft's names of what an adapter was trained for.
_TASKS = {"CAUSAL_LM": "ForCausalLM", "SEQ_CLS": "ForSequenceClassification"}
_SOFT_PROMPTS = {"PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING"}
# Where a classifier's last layer is, by its name's end.
_HEADS = ("score.weight", "classifier.weight", "classifier.out_proj.weight", "classifier.modules_to_save.weight")
# Everything else in a set belongs to its tokenizer or image processor.
_NOT_OF_THE_PROCESSOR = {"README.md", "config.json", "generation_config.json", ADAPTER_CONFIG, BASE_ARGUMENTS}
_WEIGHTS = (".safetensors", ".safetensors.index.json")
_MERGING_PERCENT = 40
_GIB = 1024**3


def load(work: Work) -> PreTrainedModel:
    """The source as one model on the CPU: a whole model as it is, an adapter merged into its unquantised base.

    Needs the memory of the base's weights in their own precision, and of the largest matrix twice. Raises ResourceExhausted if
    the machine has less, FailedPrecondition for a soft prompt or a base that is stored quantized.
    """
    adapter = _adapter_settings(work) if work.is_adapter else None
    size = _weight_bytes(work)
    _check_memory(size)
    what = work.assignment.base_model.display_name if adapter else work.assignment.export_source.name
    work.stage(f"Loading {what}" + (f", {size / _GIB:.1f} GiB" if size >= _GIB / 10 else ""))
    if adapter is None:
        work.part(_MERGING_PERCENT, 1)
        source = str(work.inputs.source)
        model = _loaded(source, None, _task_of(configuration(source, None)), {})
        work.advance()
        return model
    return _merged(_base(work, adapter), work)


def write(model: PreTrainedModel, work: Work) -> None:
    """Safetensors, configuration, tokenizer and chat template into the result's folder."""
    model.save_pretrained(work.folder)
    config = work.folder / "config.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    # Trainers switch the cache off; whoever loads the result to generate wants it.
    settings["use_cache"] = True
    config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    copy_processor(work)


def copy_processor(work: Work) -> None:
    """The tokenizer's or image processor's files as they were saved beside what is exported, and where none were, the base's."""
    names = _processor_files(work.inputs.source)
    folder = work.inputs.source
    if not names and work.inputs.base_model is not None and Path(work.inputs.base_model).is_dir():
        folder = Path(work.inputs.base_model)
        names = _processor_files(folder)
    for name in names:
        shutil.copyfile(folder / name, work.folder / name)


def tokenizer_folder(work: Work) -> str:
    """Where `from_pretrained` finds the tokenizer: beside what is exported, or with the base model."""
    if (work.inputs.source / "tokenizer_config.json").is_file() or work.inputs.base_model is None:
        return str(work.inputs.source)
    return work.inputs.base_model


def _processor_files(folder: Path) -> list[str]:
    names = [path.name for path in folder.iterdir() if path.is_file() and path.suffix in (".json", ".txt", ".jinja", ".model")]
    return sorted(name for name in names if name not in _NOT_OF_THE_PROCESSOR and not name.endswith(_WEIGHTS))


def _adapter_settings(work: Work) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((work.inputs.source / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    if settings.get("peft_type") in _SOFT_PROMPTS:
        text = f"{settings['peft_type']} is a soft prompt, which can't be merged into weights; export it with format ADAPTER"
        raise FailedPrecondition("SOFT_PROMPT", text)
    return settings


def _base(work: Work, adapter: dict[str, Any]) -> PreTrainedModel:
    name = work.inputs.base_model
    if name is None:
        raise FailedPrecondition("BASE_MODEL_MISSING", "the adapter's base model was not given; create the export again")
    config = configuration(name, work.inputs.revision)
    if getattr(config, "quantization_config", None) is not None:
        text = (
            f"{work.assignment.base_model.display_name} is stored quantized, and an adapter is merged into weights that are not; "
            "register the model it was quantized from and train on that"
        )
        raise FailedPrecondition("BASE_MODEL_QUANTIZED", text)
    saved = work.inputs.source / "config.json"
    if not saved.is_file():
        task = _TASKS.get(adapter.get("task_type") or "") or _task_of(config)
        return _loaded(name, work.inputs.revision, task, _stretched(work.inputs.source) | _head(task, work.inputs.source))
    # A classifier's adapter has the configuration that it fits beside it; peft has no name for the task of pictures.
    task = _TASKS.get(adapter.get("task_type") or "", "ForImageClassification")
    wanted = configuration(str(work.inputs.source), None)
    return _loaded(name, work.inputs.revision, task, {"config": wanted, "ignore_mismatched_sizes": True})


def _stretched(source: Path) -> dict[str, Any]:
    """What the base model was loaded with where its positions were stretched before it was trained."""
    path = source / BASE_ARGUMENTS
    arguments: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return arguments


def _head(task: str, source: Path) -> dict[str, Any]:
    """How many labels a classifier has whose configuration was not saved."""
    if task == "ForCausalLM":
        return {}
    for file in sorted(source.glob("*.safetensors")):
        for name, entry in _header(file).items():
            if name.endswith(_HEADS):
                return {"num_labels": entry["shape"][0], "ignore_mismatched_sizes": True}
    return {}


def _loaded(name: str, revision: str | None, task: str, more: dict[str, Any]) -> PreTrainedModel:
    # In its own precision and never quantized, whatever it was trained beside.
    arguments = {"dtype": "auto", "use_safetensors": True, "trust_remote_code": False, **more}
    if revision:
        arguments["revision"] = revision
    model: PreTrainedModel = _LOADERS[task].from_pretrained(name, **arguments)
    return model.eval()


def configuration(name: str, revision: str | None) -> Any:
    """A model's configuration, without its weights."""
    return AutoConfig.from_pretrained(name, trust_remote_code=False, **({"revision": revision} if revision else {}))


def _task_of(config: Any) -> str:
    architecture = (getattr(config, "architectures", None) or [""])[0]
    task = next((ending for ending in _LOADERS if architecture.endswith(ending)), None)
    if task is None:
        text = (
            f"{architecture or config.model_type} is no causal language model and no classifier, and only those are exported; "
            "download the weights as they are"
        )
        raise FailedPrecondition("ARCHITECTURE_NOT_EXPORTED", text)
    return task


def _merged(base: PreTrainedModel, work: Work) -> PreTrainedModel:
    dtypes = {name: parameter.dtype for name, parameter in base.named_parameters()}
    model: Any = PeftModel.from_pretrained(base, str(work.inputs.source))
    _untie(model)
    work.stage("Merging")
    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    work.part(_MERGING_PERCENT, len(layers))
    with torch.no_grad():
        for layer in layers:
            # One at a time, so that a person is heard in between. `merge_and_unload` leaves what is merged as it is.
            layer.merge(safe_merge=True)
            work.advance()
        merged: PreTrainedModel = model.merge_and_unload()
        for name, parameter in merged.named_parameters():
            # A head that was trained beside the adapter is in float32.
            parameter.data = parameter.data.to(dtypes.get(name, parameter.dtype))
    return merged


def _untie(model: Any) -> None:
    """Give the output layer weights of its own if the adapter changes the embeddings that it shares, or the other way round.

    While it was trained, each of the two had the adapter on its own side only. peft puts the configuration right.
    """
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    if outputs is None or inputs is None:
        return
    plain = [getattr(module, "base_layer", getattr(module, "original_module", module)) for module in (inputs, outputs)]
    if plain[0].weight is not plain[1].weight or (plain[0] is inputs and plain[1] is outputs):
        return
    plain[1].weight = torch.nn.Parameter(plain[1].weight.detach().clone(), requires_grad=False)


def _weight_bytes(work: Work) -> int:
    """What the weights take as they are stored; 0 if that is not known before they are there."""
    if not work.is_adapter:
        return sum(path.stat().st_size for path in work.inputs.source.glob("*.safetensors"))
    files = work.assignment.base_model.files
    return sum(file.size_bytes for file in files if file.path.endswith(".safetensors"))


def _check_memory(size_bytes: int) -> None:
    available = psutil.virtual_memory().available
    if size_bytes > available:
        text = (
            f"the weights take {size_bytes / _GIB:.1f} GiB of memory, and the worker has {available / _GIB:.1f} GiB free; "
            "export on a pool with more memory, or when nothing else runs on this one"
        )
        raise ResourceExhausted("OUT_OF_MEMORY", text)


def _header(path: Path) -> dict[str, Any]:
    """The description of a safetensors file's tensors."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return header
