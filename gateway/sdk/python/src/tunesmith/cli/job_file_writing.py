"""Writes a job back to its file: YAML or JSON, a whole request or a configuration, as it was; the old file is kept beside it."""

import json
from dataclasses import dataclass
from pathlib import Path

import yaml
from google.protobuf.json_format import MessageToDict
from tunesmith.cli.errors import EXIT_USAGE, CliError
from tunesmith.cli.job_file import CONFIGURATION, JobFile
from tunesmith.cli.output import UNBOUNDED_WIDTH

# Comments don't survive a program that writes YAML.
KEPT_SUFFIX = ".orig"


@dataclass(frozen=True)
class Written:
    """The file, and where the old one is."""

    written: Path
    kept: Path


def write_job_file(job_file: JobFile) -> Written:
    """Write the request of a file back. Raises CliError if that is not allowed."""
    path = Path(job_file.name)
    kept = path.with_name(f"{path.name}{KEPT_SUFFIX}")
    message = job_file.request if CONFIGURATION in job_file.lines else job_file.request.configuration
    value = MessageToDict(message, preserving_proto_field_name=True)
    try:
        before = path.read_text(encoding="utf-8")
        kept.write_text(before, encoding="utf-8")
        path.write_text(_text(value, as_json=before.lstrip().startswith("{")), encoding="utf-8")
    except OSError as error:
        raise CliError(f"{path}: {error.strerror}; choose a file that can be written", EXIT_USAGE) from None
    return Written(path, kept)


def _text(value: object, *, as_json: bool) -> str:
    if as_json:
        return f"{json.dumps(value, indent=2, ensure_ascii=False)}\n"
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=UNBOUNDED_WIDTH)
