"""A job as a configuration of Axolotl, to be run by hand."""

import yaml

from workers.providers.axolotl import datasets
from workers.providers.axolotl.provider import AXOLOTL
from workers.providers.axolotl.translation import VERSION, translate
from workers.providers.provider import DROPPED
from workers.providers.script import Script, ScriptedJob, one_line

FILE_NAME = "axolotl.yaml"
# What changes nothing of what the steps compute.
_NO_NEWS = ("hardware.", "schedule.histograms", "schedule.step_timeout_seconds", "output.", "metadata")


def axolotl_script(job: ScriptedJob) -> Script:
    """What a job's configuration is for Axolotl. Raises ValueError for what it can't do."""
    values = translate(job.configuration, job.training_dataset, job.validation_dataset)
    if job.base_model.hub_repo:
        values["base_model"] = job.base_model.hub_repo
    if job.base_model.revision:
        values["revision_of_model"] = job.base_model.revision
    files = f"{datasets.TRAINING_FILE}" + (f" and {datasets.VALIDATION_FILE}" if "test_datasets" in values else "")
    head = (
        f"# {one_line(job.display_name) or 'A fine-tune'}, made from Tunesmith's job {one_line(job.id)}.\n"
        f"# Put its rows beside this file as {files}, one JSON object a line, then:\n"
        f"#   pip install axolotl=={VERSION}\n"
        f"#   axolotl train {FILE_NAME}\n"
    )
    # A repeated value is written out again: a person who changes one does not mean the other.
    content = head + yaml.dump(values, Dumper=_Plain, sort_keys=False, allow_unicode=True)
    return Script(FILE_NAME, content, tuple(_differences(job)))


class _Plain(yaml.SafeDumper):
    """Without YAML's references from one place to another."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _differences(job: ScriptedJob) -> list[str]:
    found = []
    if not job.base_model.hub_repo:
        found.append("The base model has no name on a hub: put the folder that holds it as base_model.")
    if job.provider == AXOLOTL.id:
        return found
    found.append("Axolotl is another trainer than the job's: its losses are close, and not the same.")
    found += datasets.differences(job.configuration, job.training_dataset)
    for field in AXOLOTL.lower(job.configuration):
        if field.action == DROPPED and not field.field_path.startswith(_NO_NEWS):
            found.append(f"{field.field_path} does not act: {field.detail}.")
    return found
