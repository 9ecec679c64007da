"""What a trained model says about itself: how to load it, what it was made from, and what its losses were."""

from dataclasses import dataclass
from importlib.metadata import version

import yaml
from google.protobuf.json_format import MessageToJson
from tunesmith.config.v1 import method_pb2
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2
from tunesmith.worker.v1 import worker_service_pb2

_LIBRARIES = ("torch", "transformers", "peft", "trl")

_LOAD_ADAPTER = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained({base!r})
model = PeftModel.from_pretrained(base, "path/to/this/folder")
tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")"""

_LOAD_MODEL = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("path/to/this/folder")
tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")"""


@dataclass(frozen=True)
class Losses:
    """What was measured up to a step; None for what was not."""

    step: int
    total_steps: int
    first_training: float | None = None
    last_training: float | None = None
    first_evaluation: float | None = None
    last_evaluation: float | None = None


def base_name(base_model: base_model_pb2.BaseModel) -> str:
    """How others can find the base model: its hub name, or its id in the registry. Never a path of this machine."""
    return base_model.hub_repo or base_model.id


def title(assignment: worker_service_pb2.Assignment) -> str:
    """The base model's name and the suffix that was asked for, or the job's id."""
    suffix = assignment.configuration.output.suffix or assignment.lease.job_id
    return f"{_plain(assignment.base_model.display_name)}-{suffix}"


def render(assignment: worker_service_pb2.Assignment, losses: Losses) -> str:
    """The README.md of a set of weights, as the hub reads it."""
    adapter = assignment.configuration.method.type == method_pb2.TRAINING_METHOD_LORA
    base = base_name(assignment.base_model)
    what = "A LoRA adapter for" if adapter else "A full fine-tune of"
    state = "" if losses.step == losses.total_steps else f", saved at step {losses.step} of {losses.total_steps}"
    usage = _LOAD_ADAPTER.format(base=base) if adapter else _LOAD_MODEL
    sections = [
        f"---\n{_front_matter(assignment, adapter)}---",
        f"# {title(assignment)}",
        f"{what} {_plain(assignment.base_model.display_name)}{state}, trained with Tunesmith.",
        f"## Use\n\n```python\n{usage}\n```",
        f"## Loss\n\n{_losses(losses)}",
        f"## Made from\n\n{_lineage(assignment)}",
        f"## Configuration\n\n```json\n{_configuration(assignment)}\n```",
        "## Libraries\n\n" + ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(assignment: worker_service_pb2.Assignment, adapter: bool) -> str:
    facts = {
        "base_model": base_name(assignment.base_model),
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["tunesmith", "sft", "lora" if adapter else "full"],
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
        return "None was measured."
    note = "Measured. Training: of the first and the last step's batch. Validation: before the first step and last."
    return "\n".join(["| | First | Last |", "|---|---|---|", *lines, "", note])


def _lineage(assignment: worker_service_pb2.Assignment) -> str:
    base = assignment.base_model
    revision = f", revision `{base.revision}`" if base.revision else ""
    rows = [
        ("Job", f"`{assignment.lease.job_id}`"),
        ("Base model", f"{_plain(base.display_name)}, `{base_name(base)}`, id `{base.id}`{revision}"),
        *((role, _dataset(dataset)) for role, dataset in _datasets(assignment).items()),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


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
