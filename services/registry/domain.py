"""What the registry holds to be true, whatever is stored where."""

import re

from tunesmith.registry.v1 import dataset_pb2

from services.chassis.errors import FailedPrecondition, InvalidArgument, NotFound

DISPLAY_NAME_CHARACTERS = 128

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
_HUB_PART = re.compile(r"\w([\w.\-]*\w)?", re.ASCII)
_REVISION = re.compile(r"\w[\w./\-]*", re.ASCII)
_FAMILY = re.compile(r"[a-z0-9_\-]{1,64}")


def file_label(filename: str) -> str:
    """The last part of the name a file was uploaded under: browsers and people send whole paths, of two kinds.

    A label only; no path on disk is ever made of it.
    """
    label = re.split(r"[/\\]", filename)[-1]
    if not label:
        text = "give the file's name, such as rows.jsonl; its ending says how to read the file"
        raise InvalidArgument([("filename", text)])
    refuse_control_characters("filename", label)
    return label


def refuse_control_characters(field: str, text: str) -> None:
    """Raise for a name that no list could show."""
    if _CONTROL_CHARACTERS.search(text):
        raise InvalidArgument([(field, "has a control character, such as a line feed; remove it")])


def shortened(name: str) -> str:
    """A name that fits where display names go."""
    return name[:DISPLAY_NAME_CHARACTERS]


def is_family(text: object) -> bool:
    """Whether a configuration's model_type can be what transformers calls a family."""
    return isinstance(text, str) and _FAMILY.fullmatch(text) is not None


def dataset_not_found(dataset_id: str) -> NotFound:
    """There is no such dataset."""
    return NotFound("dataset", dataset_id, "GET /v1/datasets lists them")


def refuse_damaged(dataset: dataset_pb2.Dataset) -> None:
    """Raise for a dataset whose rows are not those that were stored."""
    if dataset.integrity.status == dataset_pb2.INTEGRITY_STATUS_FAILED:
        raise FailedPrecondition("DATASET_DAMAGED", dataset.integrity.message)


def base_model_not_found(name: str) -> NotFound:
    """There is no such base model."""
    return NotFound("base model", name, "GET /v1/base-models lists them")


def check_hub_repo(field: str, name: str) -> None:
    """Raise for a name the hub itself would refuse. `../model` is one, and loaders would take it for a folder."""
    if not all(_HUB_PART.fullmatch(part) for part in name.split("/")) or ".." in name:
        text = "each part of a hub name begins and ends with a letter, digit or underscore; copy it from the model's page"
        raise InvalidArgument([(field, text)])


def check_revision(field: str, revision: str) -> None:
    """Raise for what is no branch, tag or commit."""
    if revision and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise InvalidArgument([(field, "is no branch, tag or commit; leave it out for main")])
