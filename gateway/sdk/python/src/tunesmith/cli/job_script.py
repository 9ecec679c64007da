"""`tunesmith jobs script`: a file that does what a job does without Tunesmith."""

from pathlib import Path
from typing import Annotated

import typer
from tunesmith.cli.errors import EXIT_USAGE, CliError
from tunesmith.cli.output import Format, as_json
from tunesmith.cli.session import Session, command
from tunesmith.cli.wording import plain
from tunesmith.job.v1 import job_service_pb2 as messages


def add_to(app: typer.Typer) -> None:
    """Add the command to `tunesmith jobs`."""
    command(app, "script")(job_script)


def job_script(
    session: Session,
    id: Annotated[str, typer.Argument(help="The job's id.")],
    axolotl: Annotated[bool, typer.Option("--axolotl", help="A configuration of Axolotl. Unset: Python.")] = False,
    to: Annotated[Path | None, typer.Option("--to", help="The file to write. Unset: standard output.", dir_okay=False)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write a job as a script that runs without Tunesmith."""
    script_format = messages.SCRIPT_FORMAT_AXOLOTL if axolotl else messages.SCRIPT_FORMAT_PYTHON
    response = session.client.jobs.get_job_script(id=id, format=script_format)
    if session.output.format is not Format.TABLE:
        session.output.document(as_json(response))
    elif to is None:
        _print(session, response.content)
    if to is not None:
        _write(response.content, to, overwrite)
        session.output.note(f"wrote {to}")
    for difference in response.differences:
        session.output.note(f"differs from the job: {difference}")


def _print(session: Session, content: str) -> None:
    lines = content.rstrip("\n").split("\n")
    if session.output.data.is_terminal:
        # Texts that people typed are in it, and a terminal acts on what it is shown. A file gets it as it is.
        lines = [plain(line) for line in lines]
    session.output.write("\n".join(lines))


def _write(content: str, path: Path, overwrite: bool) -> None:
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        raise CliError(f"{path} is there already", EXIT_USAGE, hint="--to names another file, --overwrite replaces it") from None
    except OSError as error:
        raise CliError(f"{path} can't be written: {error.strerror}", EXIT_USAGE) from None
