"""Tokenised rows on disk: rows that were tokenised once are not tokenised again."""

import hashlib
import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow
import structlog
from datasets import Dataset
from trl import SFTConfig
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.worker.v1 import worker_service_pb2

from workers.training import row_table, rows
from workers.whole_file import whole_file

COLUMNS = ["input_ids", "labels"]
# A row of tokens for each row of the dataset.
ROWS = "rows"
# All of trl's arguments that its preparation of rows reads.
ARGUMENTS = (
    "assistant_only_loss",
    "chat_template_path",
    "completion_only_loss",
    "dataset_kwargs",
    "dataset_text_field",
    "eos_token",
    "max_length",
    "packing",
    "packing_strategy",
    "padding_free",
    "truncation_mode",
)
_LIBRARIES = ("datasets", "jinja2", "tokenizers", "transformers", "trl")
_WEIGHTS = ".safetensors"

log = structlog.get_logger()


class TokenisedRows:
    """Keeps what trl makes of one dataset with one tokenizer, as an Arrow file.

    A file's name is the SHA-256 of everything that the result depends on, so one that is found is the result. Nothing is kept
    without a folder.
    """

    def __init__(self, folder: Path | None, assignment: worker_service_pb2.Assignment) -> None:
        self._folder = folder
        # As trl names them.
        self._datasets = {"train": assignment.training_dataset, "eval": assignment.validation_dataset}
        # A tokenizer may be made from any of them but the weights. A hub model has none that would pin it down.
        files = assignment.base_model.files
        self._files = sorted((file.path, file.sha256) for file in files if not file.path.endswith(_WEIGHTS))

    def prepared(self, name: str, arguments: SFTConfig, prepare: Callable[[], Any], layout: str = ROWS) -> Any:
        """The rows as trl's trainer reads them: from the disk, or prepared now and kept. `layout` names the way that `prepare`
        goes about it.
        """
        if self._folder is None or not self._files:
            return prepare()
        path = self._folder / f"{self._key(self._datasets[name], arguments, layout)}.arrow"
        found = _read(path)
        if found is not None:
            return found
        made = prepare()
        _keep(made, path)
        return made

    def _key(self, dataset: dataset_pb2.Dataset, arguments: SFTConfig, layout: str) -> str:
        depends_on = {
            "layout": layout,
            "rows": [dataset.sha256, dataset.format],
            "converter": [hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest() for module in (rows, row_table)],
            "files": self._files,
            "arguments": {name: getattr(arguments, name) for name in ARGUMENTS},
            "order": arguments.seed if arguments.shuffle_dataset else None,
            "libraries": {name: version(name) for name in _LIBRARIES},
        }
        return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> Dataset | None:
    try:
        # The time of its last use, by which the worker's cache makes room.
        os.utime(path)
        found = Dataset.from_file(str(path))
    except FileNotFoundError:
        return None
    except (OSError, pyarrow.ArrowException) as error:
        log.warning("tokenised_rows_damaged", file=path.name, reason=str(error))
        path.unlink(missing_ok=True)
        return None
    return found if found.column_names == COLUMNS else None


def _keep(dataset: Dataset, path: Path) -> None:
    table = dataset.select_columns(COLUMNS).with_format("arrow")[:]
    try:
        with whole_file(path) as file, pyarrow.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    except OSError as error:
        # A full disk, most likely: the job has its rows in memory.
        log.warning("tokenised_rows_not_kept", file=path.name, reason=str(error))
