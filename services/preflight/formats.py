"""What a dataset's format implies: how its rows are read, what a model has to be able to read."""

from tunesmith.config.v1 import datasets_pb2
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2

CHAT = datasets_pb2.DATASET_STRATEGY_CHAT
STANDARD = datasets_pb2.DATASET_STRATEGY_STANDARD
# Rendered with a model's chat template.
OF_TURNS = frozenset({dataset_pb2.DATASET_FORMAT_MESSAGES, dataset_pb2.DATASET_FORMAT_SHAREGPT})
_IMAGES = (dataset_pb2.DATASET_FORMAT_IMAGE_LABEL, dataset_pb2.DATASET_FORMAT_IMAGE_CAPTION)
# Learnt by a head of one output a label.
OF_LABELS = frozenset({dataset_pb2.DATASET_FORMAT_TEXT_LABEL, dataset_pb2.DATASET_FORMAT_IMAGE_LABEL})
_TEXT, _VISION = base_model_pb2.MODALITY_TEXT, base_model_pb2.MODALITY_VISION
_AUDIO, _VIDEO = base_model_pb2.MODALITY_AUDIO, base_model_pb2.MODALITY_VIDEO
_BOTH, _SEVERAL = base_model_pb2.MODALITY_VISION_TEXT, base_model_pb2.MODALITY_MULTIMODAL
# What a model of a modality learns from. A model of several modalities learns from each of them.
READS: dict[base_model_pb2.Modality, frozenset[base_model_pb2.Modality]] = {
    _TEXT: frozenset({_TEXT, _SEVERAL}),
    _VISION: frozenset({_VISION, _SEVERAL}),
    _AUDIO: frozenset({_AUDIO, _SEVERAL}),
    _VIDEO: frozenset({_VIDEO, _SEVERAL}),
    _BOTH: frozenset({_TEXT, _VISION, _BOTH, _SEVERAL}),
    _SEVERAL: frozenset({_TEXT, _VISION, _AUDIO, _VIDEO, _BOTH, _SEVERAL}),
}


def holds_pictures(dataset_format: dataset_pb2.DatasetFormat) -> bool:
    """Whether rows are pictures, whose size the model decides: nothing in them is cut, and nothing padded."""
    return dataset_format in _IMAGES


def modality_of(dataset_format: dataset_pb2.DatasetFormat) -> base_model_pb2.Modality | None:
    """What a model has to read to learn from rows of a format; None for rows that no such model reads, or of no known format."""
    if dataset_format in _IMAGES:
        return _VISION
    if dataset_format in (dataset_pb2.DATASET_FORMAT_INTERACTIONS, dataset_pb2.DATASET_FORMAT_UNSPECIFIED):
        return None
    return _TEXT


def has_turns(dataset: dataset_pb2.Dataset) -> bool | None:
    """Whether its rows are rendered with a chat template; None where its columns don't tell, since pairs may be of either."""
    if dataset.format != dataset_pb2.DATASET_FORMAT_PREFERENCE:
        return dataset.format in OF_TURNS
    types = {column.name: column.type for column in dataset.columns}
    lists = (dataset_pb2.COLUMN_TYPE_LIST, dataset_pb2.COLUMN_TYPE_OBJECT)
    if dataset_pb2.COLUMN_TYPE_MIXED in types.values() or "chosen" not in types:
        return None
    return any(types.get(name) in lists for name in ("chosen", "prompt", "conversations"))


def format_name(dataset_format: dataset_pb2.DatasetFormat) -> str:
    """`MESSAGES`."""
    return dataset_pb2.DatasetFormat.Name(dataset_format).removeprefix("DATASET_FORMAT_")


def modality_name(modality: base_model_pb2.Modality) -> str:
    """`vision text`."""
    return base_model_pb2.Modality.Name(modality).removeprefix("MODALITY_").lower().replace("_", " ")
