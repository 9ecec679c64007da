"""Reads a job from YAML or JSON, and says of every mistake where it is and what was probably meant."""

from dataclasses import dataclass

from tunesmith.cli.errors import EXIT_USAGE, CliError
from tunesmith.cli.source_file import STANDARD_INPUT, STANDARD_INPUT_SHOWN, parse, place, read_text
from tunesmith.job.v1.job_service_pb2 import CreateJobRequest

__all__ = ["CONFIGURATION", "STANDARD_INPUT", "STANDARD_INPUT_SHOWN", "JobFile", "read_job_file"]

# A file with this key is a whole request; a configuration has no such section.
CONFIGURATION = "configuration"


@dataclass(frozen=True)
class JobFile:
    """A request, and where in its file each field stands."""

    name: str
    request: CreateJobRequest
    lines: dict[str, int]

    def place(self, path: str) -> tuple[str, str]:
        """The file with its line, and the field as the file names it, for a field path of CreateJobRequest."""
        own = path if CONFIGURATION in self.lines else path.removeprefix(f"{CONFIGURATION}.").removeprefix(CONFIGURATION)
        return place(self.name, self.lines, own), own


def read_job_file(name: str) -> JobFile:
    """The job in a file, `-` being standard input. Raises CliError with a line for every mistake."""
    shown = STANDARD_INPUT_SHOWN if name == STANDARD_INPUT else name
    source = parse(read_text(name), shown)
    if not isinstance(source.value, dict):
        raise CliError(f"{shown}: holds no configuration; begin with `model:`, `datasets:` and `method:`", EXIT_USAGE)
    request = CreateJobRequest()
    source.fill(request if CONFIGURATION in source.value else request.configuration)
    request.configuration.SetInParent()
    return JobFile(shown, request, source.lines)
