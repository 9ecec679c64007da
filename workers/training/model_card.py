"""What a trained model says about itself: how to load it, what it was made from, and what its losses were."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import yaml
from google.protobuf.json_format import MessageToJson
from tunesmith.config.v1 import method_pb2
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2
from tunesmith.worker.v1 import worker_service_pb2

from workers.providers.execution import quantization_bits
from workers.providers.local import distillation, preference
from workers.training import task_card

_LIBRARIES = ("torch", "transformers", "peft", "trl")

_LOAD_ADAPTER = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained({base!r}{arguments})
model = PeftModel.from_pretrained(base, "path/to/this/folder")
tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")"""

_LOAD_MODEL = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("path/to/this/folder")
tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")"""

# What is made, and how a search for it is tagged.
_KINDS: dict[method_pb2.TrainingMethod, tuple[str, str]] = {
    method_pb2.TRAINING_METHOD_FULL: ("A full fine-tune of", "full"),
    method_pb2.TRAINING_METHOD_LORA: ("A LoRA adapter for", "lora"),
    method_pb2.TRAINING_METHOD_QLORA: ("A LoRA adapter, trained beside quantized weights (QLoRA), for", "qlora"),
    method_pb2.TRAINING_METHOD_PROMPT_TUNING: ("A soft prompt for", "prompt-tuning"),
    method_pb2.TRAINING_METHOD_PREFIX_TUNING: ("A prefix of trained keys and values for", "prefix-tuning"),
    method_pb2.TRAINING_METHOD_P_TUNING: ("A soft prompt (P-tuning) for", "p-tuning"),
}
_OBJECTIVE_TAGS: dict[method_pb2.TrainingObjective, str] = {
    method_pb2.TRAINING_OBJECTIVE_SFT: "sft",
    method_pb2.TRAINING_OBJECTIVE_DPO: "dpo",
    method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING: "continued-pretraining",
    method_pb2.TRAINING_OBJECTIVE_CLASSIFICATION: "classification",
    method_pb2.TRAINING_OBJECTIVE_DISTILLATION: "distillation",
}
_STRETCHED = (
    "The base model's positions were stretched before training, which the adapter does not carry: load the base model with the "
    "arguments above (they stand in `base_model_arguments.json` too), or it reads every token at another place."
)
_QUANTIZED = (
    "The base model's weights were held in {bits} bits while training; the adapter loads onto the base model in any precision."
)
_SOFT = "The prompt takes {tokens} positions of every sequence."


@dataclass(frozen=True)
class Losses:
    """What was measured up to a step; None for what was not."""

    step: int
    total_steps: int
    first_training: float | None = None
    last_training: float | None = None
    first_evaluation: float | None = None
    last_evaluation: float | None = None
    # How long the run was to be; 0 if that is how long it was.
    planned_steps: int = 0
    # Whether the weights are those of the evaluation with the lowest loss, and not those of the end.
    is_best: bool = False


def base_name(base_model: base_model_pb2.BaseModel) -> str:
    """How others can find the base model: its hub name, or its id in the registry. Never a path of this machine."""
    return base_model.hub_repo or base_model.id


def title(assignment: worker_service_pb2.Assignment) -> str:
    """The base model's name and the suffix that was asked for, or the job's id."""
    suffix = assignment.configuration.output.suffix or assignment.lease.job_id
    return f"{_plain(assignment.base_model.display_name)}-{suffix}"


def render(
    assignment: worker_service_pb2.Assignment,
    losses: Losses,
    base_arguments: Mapping[str, Any] | None = None,
    labels: Sequence[str] = (),
) -> str:
    """The README.md of a set of weights, as the hub reads it. `base_arguments` is what the base model has to be
    loaded with, `labels` what a classifier tells apart.
    """
    adapter = assignment.configuration.method.type != method_pb2.TRAINING_METHOD_FULL
    what = _what(assignment.configuration.method)
    state = "" if losses.step == losses.total_steps else f", saved at step {losses.step} of {losses.total_steps}"
    sections = [
        f"---\n{_front_matter(assignment, adapter)}---",
        f"# {title(assignment)}",
        f"{what} {_plain(assignment.base_model.display_name)}{state}, trained with Tunesmith.{_learnt(assignment)}",
        f"## Use\n\n{_usage(assignment, base_arguments or {})}",
        *([f"## Labels\n\n{task_card.labels(labels)}"] if labels else []),
        f"## Loss\n\n{_losses(losses)}",
        f"## Made from\n\n{_lineage(assignment)}",
        f"## Configuration\n\n```json\n{_configuration(assignment)}\n```",
        "## Libraries\n\n" + ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
    ]
    return "\n\n".join(sections) + "\n"


def _what(method: method_pb2.Method) -> str:
    what, _ = _KINDS[method.type]
    lora = method.lora_config
    if lora.use_dora:
        what = what.replace("LoRA adapter", "DoRA adapter")
    return what.replace(" adapter", " adapter with rank-stabilised scaling (rsLoRA)", 1) if lora.use_rslora else what


def _learnt(assignment: worker_service_pb2.Assignment) -> str:
    """What was learnt, as a sentence of its own, where it is not the rows."""
    configuration = assignment.configuration
    if preference.is_objective(configuration):
        chosen = preference.settings(configuration)
        reference = "no reference" if chosen.reference_free else "the model it began as for its reference"
        how = f"{preference.LOSSES[chosen.loss]} loss, beta {chosen.beta:g}"
        return f" It learnt to prefer the chosen answer of each pair over the rejected one (DPO, {how}), with {reference}."
    if distillation.is_objective(configuration):
        settings = configuration.method.distillation_config
        weight = f"{settings.teacher_weight:g} of its loss at temperature {settings.temperature:g}"
        return f" It learnt to say what {_plain(assignment.teacher_model.display_name)} says of the rows' tokens ({weight})."
    return ""


def _tags(method: method_pb2.Method) -> list[str]:
    lora = method.lora_config
    options = [name for name, is_on in (("dora", lora.use_dora), ("rslora", lora.use_rslora)) if is_on]
    return [_OBJECTIVE_TAGS[method.objective or method_pb2.TRAINING_OBJECTIVE_SFT], _KINDS[method.type][1], *options]


def _usage(assignment: worker_service_pb2.Assignment, base_arguments: Mapping[str, Any]) -> str:
    method = assignment.configuration.method
    task = _task(assignment)
    if task is not None:
        full = method.type == method_pb2.TRAINING_METHOD_FULL
        return task_card.usage(task, base_name(assignment.base_model), adapter=not full)
    if method.type == method_pb2.TRAINING_METHOD_FULL:
        return f"```python\n{_LOAD_MODEL}\n```"
    arguments = "".join(f", {name}={value!r}" for name, value in base_arguments.items())
    code = _LOAD_ADAPTER.format(base=base_name(assignment.base_model), arguments=arguments)
    said = [f"```python\n{code}\n```"]
    if base_arguments:
        said.append(_STRETCHED)
    if quantization_bits(assignment.configuration):
        said.append(_QUANTIZED.format(bits=quantization_bits(assignment.configuration)))
    if method.prompt_tuning_config.num_virtual_tokens:
        said.append(_SOFT.format(tokens=method.prompt_tuning_config.num_virtual_tokens))
    return "\n\n".join(said)


def _task(assignment: worker_service_pb2.Assignment) -> task_card.Task | None:
    """What a classifier is for; None for a language model."""
    return task_card.TASKS.get(assignment.training_dataset.format)


def _front_matter(assignment: worker_service_pb2.Assignment, adapter: bool) -> str:
    task = _task(assignment)
    facts = {
        "base_model": base_name(assignment.base_model),
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": "text-generation" if task is None else task.pipeline,
        "tags": ["tunesmith", *_tags(assignment.configuration.method)],
        "datasets": [_plain(dataset.display_name) for dataset in _datasets(assignment).values()],
    }
    return yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)


def _losses(losses: Losses) -> str:
    rows = (
        ("Training", losses.first_training, losses.last_training),
        ("Validation", losses.first_evaluation, losses.last_evaluation),
    )
    lines = [f"| {name} | {first:.4f} | {last:.4f} |" for name, first, last in rows if first is not None and last is not None]
    if not lines:
        return "\n\n".join(["None was measured.", *_ends(losses)])
    last = "Best" if losses.is_best else "Last"
    word = last.lower()
    note = f"Measured. Training: of the first and the {word} step's batch. Validation: before the first step and {word}."
    return "\n".join([f"| | First | {last} |", "|---|---|---|", *lines, "", " ".join([note, *_ends(losses)])])


def _ends(losses: Losses) -> list[str]:
    """Why the weights are not those of the last step that was planned, each in a sentence."""
    ends = []
    if losses.is_best:
        ends.append(f"The weights are those of step {losses.step}, where the validation loss was lowest.")
    if losses.total_steps < losses.planned_steps:
        ends.append(f"The run stopped early, at step {losses.total_steps} of {losses.planned_steps}.")
    return ends


def _lineage(assignment: worker_service_pb2.Assignment) -> str:
    rows = [
        ("Job", f"`{assignment.lease.job_id}`"),
        ("Base model", _model(assignment.base_model)),
        *([("Teacher", _model(assignment.teacher_model))] if assignment.HasField("teacher_model") else []),
        *((role, _dataset(dataset)) for role, dataset in _datasets(assignment).items()),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _model(model: base_model_pb2.BaseModel) -> str:
    revision = f", revision `{model.revision}`" if model.revision else ""
    return f"{_plain(model.display_name)}, `{base_name(model)}`, id `{model.id}`{revision}"


def _dataset(dataset: dataset_pb2.Dataset) -> str:
    name = f"{_plain(dataset.display_name)}, version {dataset.version}"
    return f"{name}, id `{dataset.id}`, {dataset.row_count} rows, SHA-256 `{dataset.sha256}`"


def _datasets(assignment: worker_service_pb2.Assignment) -> dict[str, dataset_pb2.Dataset]:
    datasets = {"Training dataset": assignment.training_dataset}
    if assignment.HasField("validation_dataset"):
        datasets["Validation dataset"] = assignment.validation_dataset
    return datasets


def _configuration(assignment: worker_service_pb2.Assignment) -> str:
    return MessageToJson(assignment.configuration, preserving_proto_field_name=True)


def _plain(name: str) -> str:
    """A name someone typed, on one line and with nothing in it that Markdown reads as a table's edge."""
    return " ".join(name.split()).replace("|", "/")
