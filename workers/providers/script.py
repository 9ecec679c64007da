"""A file that does what a job does without Tunesmith: what it is made from, and what it is."""

from dataclasses import dataclass

from tunesmith.registry.v1 import base_model_pb2, dataset_pb2

from workers.providers.provider import JobConfiguration


@dataclass(frozen=True)
class ScriptedJob:
    """A job and its inputs as they were when it was created; the configuration's defaults are resolved."""

    id: str
    display_name: str
    # Who runs it.
    provider: str
    configuration: JobConfiguration
    base_model: base_model_pb2.BaseModel
    training_dataset: dataset_pb2.Dataset
    # None where nothing is evaluated.
    validation_dataset: dataset_pb2.Dataset | None = None
    # Whom it imitates; None where it imitates nobody.
    teacher_model: base_model_pb2.BaseModel | None = None


@dataclass(frozen=True)
class Script:
    """What to save under which name, and what it does otherwise than the job."""

    file_name: str
    content: str
    # Each a sentence.
    differences: tuple[str, ...] = ()


def one_line(text: str) -> str:
    """A name that somebody typed, as it may stand in a comment or a docstring of any language."""
    return "".join(character if character.isprintable() and character not in "\\\"'" else " " for character in text).strip()
