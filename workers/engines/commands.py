"""What each engine is given in its folder, and how it is started there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from tunesmith.worker.v1 import worker_service_pb2

from workers.providers.axolotl.datasets import TRAINING_FILE, VALIDATION_FILE
from workers.providers.axolotl.translation import OUTPUT_FOLDER, translate
from workers.providers.script import ScriptedJob
from workers.providers.unsloth.script import FILE_NAME as UNSLOTH_FILE
from workers.providers.unsloth.script import unsloth_script
from workers.training.inputs import Inputs

AXOLOTL_FILE = "axolotl.yaml"

Assignment = worker_service_pb2.Assignment
# (assignment, inputs, folder, python) -> the command; what it needs lies in the folder.
Prepare = Callable[[Assignment, Inputs, Path, str], list[str]]


@dataclass(frozen=True)
class Started:
    """An engine as it is started."""

    prepare: Prepare
    # What it finds in its environment beside the worker's own paths.
    environment: Mapping[str, str]
    # Where its result lies, below the folder.
    output: str = OUTPUT_FOLDER


def _axolotl(assignment: Assignment, inputs: Inputs, folder: Path, python: str) -> list[str]:
    validation = assignment.validation_dataset if assignment.HasField("validation_dataset") else None
    values = translate(assignment.configuration, assignment.training_dataset, validation)
    values["base_model"] = inputs.base_model
    if inputs.revision is not None:
        values["revision_of_model"] = inputs.revision
    (folder / AXOLOTL_FILE).write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    (folder / TRAINING_FILE).symlink_to(inputs.training_rows)
    if inputs.validation_rows is not None:
        (folder / VALIDATION_FILE).symlink_to(inputs.validation_rows)
    return [python, "-m", "axolotl.cli.train", AXOLOTL_FILE]


def _unsloth(assignment: Assignment, inputs: Inputs, folder: Path, python: str) -> list[str]:
    validation = assignment.validation_dataset if assignment.HasField("validation_dataset") else None
    job = ScriptedJob(
        assignment.lease.job_id,
        assignment.display_name,
        assignment.provider,
        assignment.configuration,
        assignment.base_model,
        assignment.training_dataset,
        validation,
    )
    (folder / UNSLOTH_FILE).write_text(unsloth_script(job).content, encoding="utf-8")
    command = [python, UNSLOTH_FILE, str(inputs.training_rows), "--base-model", inputs.base_model]
    return command if inputs.validation_rows is None else [*command, "--validation-file", str(inputs.validation_rows)]


STARTED: dict[str, Started] = {
    "axolotl": Started(_axolotl, {"AXOLOTL_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1"}),
    "unsloth": Started(_unsloth, {"UNSLOTH_DISABLE_STATISTICS": "1"}),
}
