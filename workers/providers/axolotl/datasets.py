"""Which datasets Axolotl reads, and by which of its prompt strategies."""

from dataclasses import dataclass
from typing import Any

from tunesmith.config.v1 import datasets_pb2, method_pb2
from tunesmith.registry.v1 import dataset_pb2

from workers.providers.axolotl.method import is_dpo
from workers.providers.local.rules import sent
from workers.providers.provider import REFUSED, FieldLowering, JobConfiguration, Rule

TRAINING_FILE, VALIDATION_FILE = "training.jsonl", "validation.jsonl"
# How Axolotl is told which keys of a turn say who spoke what.
_SHAREGPT_TURNS = {"role": "from", "content": "value"}
_CHAT = (dataset_pb2.DATASET_FORMAT_MESSAGES, dataset_pb2.DATASET_FORMAT_SHAREGPT)

STRATEGIES: dict[dataset_pb2.DatasetFormat, dict[str, Any]] = {
    dataset_pb2.DATASET_FORMAT_MESSAGES: {"type": "chat_template", "field_messages": "messages"},
    dataset_pb2.DATASET_FORMAT_SHAREGPT: {
        "type": "chat_template",
        "field_messages": "conversations",
        "message_property_mappings": _SHAREGPT_TURNS,
    },
    dataset_pb2.DATASET_FORMAT_TEXT: {"type": "completion", "field": "text"},
    dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION: {
        "type": {
            "field_instruction": "prompt",
            "field_output": "completion",
            "format": "{instruction}",
            "no_input_format": "{instruction}",
            "system_format": "",
        }
    },
    dataset_pb2.DATASET_FORMAT_ALPACA: {"type": "alpaca"},
    dataset_pb2.DATASET_FORMAT_PREFERENCE: {"type": "chat_template.default", "field_messages": "prompt"},
}
_PLAIN_PREFERENCES = {"type": {"field_prompt": "prompt", "field_chosen": "chosen", "field_rejected": "rejected"}}
_SHAREGPT_PREFERENCES = {
    "type": "chat_template.default",
    "field_messages": "conversations",
    "message_property_mappings": _SHAREGPT_TURNS,
    "roles": {"user": ["human", "user"], "assistant": ["gpt", "chatgpt", "assistant"], "system": ["system"], "tool": ["tool"]},
}


@dataclass(frozen=True)
class _Needed:
    """Which datasets an objective learns from."""

    formats: frozenset[dataset_pb2.DatasetFormat]
    sentence: str


_PAIRS = frozenset({dataset_pb2.DATASET_FORMAT_PREFERENCE})
_NEEDED_BY = {
    method_pb2.TRAINING_OBJECTIVE_DPO: _Needed(_PAIRS, "objective DPO learns from preference pairs"),
    method_pb2.TRAINING_OBJECTIVE_SFT: _Needed(
        frozenset(STRATEGIES) - _PAIRS,
        "objective SFT learns from whole answers; set method.objective to DPO for preference pairs",
    ),
    method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING: _Needed(
        frozenset({dataset_pb2.DATASET_FORMAT_TEXT}), "objective CONTINUED_PRETRAINING learns from texts"
    ),
}
_NEEDED = "Axolotl reads messages, ShareGPT, text, prompt and completion, Alpaca or preference rows"


def entries(
    resolved: JobConfiguration, training: dataset_pb2.Dataset | None, validation: dataset_pb2.Dataset | None
) -> dict[str, Any]:
    """As Axolotl's schema has it. Of a dataset that nobody has looked up, only the file is named.

    Raises ValueError for a dataset that can't be read.
    """
    values: dict[str, Any] = {"datasets": [_entry(TRAINING_FILE, training)]}
    if resolved.datasets.HasField("validation_file_id"):
        values["test_datasets"] = [_entry(VALIDATION_FILE, validation)]
    return values


def differences(resolved: JobConfiguration, dataset: dataset_pb2.Dataset) -> list[str]:
    """What Axolotl makes otherwise of such rows than `local` does."""
    found = []
    columns = {column.name for column in dataset.columns}
    if dataset.format == dataset_pb2.DATASET_FORMAT_TEXT and not is_dpo(resolved):
        found.append("Axolotl splits texts that are longer than sequence_len, and does not cut them.")
    if dataset.format == dataset_pb2.DATASET_FORMAT_ALPACA and "system" in columns:
        found.append("Axolotl's Alpaca prompt leaves out each row's own system text.")
    if "tools" in columns:
        found.append("Axolotl reads tools only where the model's chat template renders them.")
    return found


def _entry(path: str, dataset: dataset_pb2.Dataset | None) -> dict[str, Any]:
    # A list of files is how Axolotl takes a folder's; of one file the path says all.
    entry: dict[str, Any] = {"path": path, "ds_type": "json", "split": "train"}
    if dataset is None:
        return entry
    if dataset.format not in STRATEGIES:
        raise ValueError(unusable(dataset.format))
    if dataset.format == dataset_pb2.DATASET_FORMAT_PREFERENCE:
        # The schema of preference datasets has no ds_type: Axolotl tells a file by its ending.
        return {"path": path, "split": "train", **_preferences(dataset)}
    return entry | STRATEGIES[dataset.format]


def _preferences(dataset: dataset_pb2.Dataset) -> dict[str, Any]:
    types = {column.name: column.type for column in dataset.columns}
    if "conversations" in types:
        return _SHAREGPT_PREFERENCES
    plain = all(types.get(name) == dataset_pb2.COLUMN_TYPE_STRING for name in ("prompt", "chosen", "rejected"))
    return _PLAIN_PREFERENCES if plain else STRATEGIES[dataset_pb2.DATASET_FORMAT_PREFERENCE]


def unusable(dataset_format: dataset_pb2.DatasetFormat) -> str:
    """Why a format can't be read."""
    name = dataset_pb2.DatasetFormat.Name(dataset_format).removeprefix("DATASET_FORMAT_")
    return f"{_NEEDED}, and this dataset was detected as {name}; convert it, or use provider local"


def refuse_dataset(
    dataset_format: dataset_pb2.DatasetFormat,
    strategy: datasets_pb2.DatasetStrategy | None,
    field_path: str = "datasets.training_file_id",
    objective: method_pb2.TrainingObjective = method_pb2.TRAINING_OBJECTIVE_SFT,
) -> list[FieldLowering]:
    """Why Axolotl can't train on such a dataset; empty if it can."""
    if dataset_format not in STRATEGIES:
        return [FieldLowering(field_path=field_path, action=REFUSED, detail=unusable(dataset_format))]
    name = dataset_pb2.DatasetFormat.Name(dataset_format).removeprefix("DATASET_FORMAT_")
    needed = _NEEDED_BY.get(objective)
    if needed is not None and dataset_format not in needed.formats:
        return [
            FieldLowering(field_path=field_path, action=REFUSED, detail=f"{needed.sentence}; this dataset was detected as {name}")
        ]
    is_chat = dataset_format in _CHAT
    if strategy == datasets_pb2.DATASET_STRATEGY_CHAT and not is_chat:
        reason = "strategy CHAT needs a dataset of MESSAGES or SHAREGPT; leave strategy unset, or set it to STANDARD"
    elif strategy == datasets_pb2.DATASET_STRATEGY_STANDARD and is_chat:
        reason = "strategy STANDARD can't read messages; leave strategy unset, or set it to CHAT"
    else:
        return []
    return [FieldLowering(field_path="datasets.strategy", action=REFUSED, detail=reason)]


RULES: dict[str, Rule] = {
    "datasets.training_file_id": sent(f"Axolotl reads its rows from {TRAINING_FILE}"),
    "datasets.validation_file_id": sent(f"Axolotl reads its rows from {VALIDATION_FILE}"),
    "datasets.strategy": sent("it has to fit the dataset's format, which decides how Axolotl makes text of a row"),
}
