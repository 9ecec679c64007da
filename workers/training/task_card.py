"""What the card of a model that classifies, or reads pictures, says otherwise than a language model's."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tunesmith.registry.v1 import dataset_pb2

_SHOWN_LABELS = 100

_LOAD_CLASSIFIERS_ADAPTER = """\
from peft import PeftModel
from transformers import AutoConfig, {auto}, {processor}

labels = AutoConfig.from_pretrained("path/to/this/folder")
base = {auto}.from_pretrained({base!r}, config=labels, ignore_mismatched_sizes=True)
model = PeftModel.from_pretrained(base, "path/to/this/folder")
processor = {processor}.from_pretrained("path/to/this/folder")"""

_LOAD_ADAPTER = """\
from peft import PeftModel
from transformers import {auto}, {processor}

base = {auto}.from_pretrained({base!r})
model = PeftModel.from_pretrained(base, "path/to/this/folder")
processor = {processor}.from_pretrained("path/to/this/folder")"""

_LOAD_MODEL = """\
from transformers import {auto}, {processor}

model = {auto}.from_pretrained("path/to/this/folder")
processor = {processor}.from_pretrained("path/to/this/folder")"""


class Task(NamedTuple):
    """What its rows make of a model."""

    # As the hub names it.
    pipeline: str
    auto: str
    processor: str
    # Whether its configuration names labels that an adapter's base has to be loaded with.
    classifies: bool = True


TASKS: Mapping[dataset_pb2.DatasetFormat, Task] = {
    dataset_pb2.DATASET_FORMAT_TEXT_LABEL: Task("text-classification", "AutoModelForSequenceClassification", "AutoTokenizer"),
    dataset_pb2.DATASET_FORMAT_IMAGE_LABEL: Task("image-classification", "AutoModelForImageClassification", "AutoImageProcessor"),
    dataset_pb2.DATASET_FORMAT_IMAGE_CAPTION: Task(
        "image-text-to-text", "AutoModelForImageTextToText", "AutoProcessor", classifies=False
    ),
}


def usage(task: Task, base: str, *, adapter: bool) -> str:
    """How it is loaded."""
    code = _LOAD_MODEL
    if adapter:
        code = _LOAD_CLASSIFIERS_ADAPTER if task.classifies else _LOAD_ADAPTER
    return f"```python\n{code.format(auto=task.auto, processor=task.processor, base=base)}\n```"


def labels(names: Sequence[str]) -> str:
    """What it tells apart, in the order of its outputs."""
    shown = ", ".join(f"`{' '.join(name.split()).replace('`', chr(39))}`" for name in names[:_SHOWN_LABELS])
    rest = len(names) - _SHOWN_LABELS
    return f"{shown} and {rest} more, which its configuration names" if rest > 0 else shown
