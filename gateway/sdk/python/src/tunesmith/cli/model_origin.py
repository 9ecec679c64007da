"""Where a base model comes from, as people name it."""

import re
from pathlib import Path
from typing import Any

from tunesmith.cli.errors import EXIT_USAGE, CliError

ARTIFACT_PREFIX = "artifact:"
_HUB_NAME = re.compile(r"[A-Za-z0-9_.\-]+/[A-Za-z0-9_.\-]+")


def origin_of(source: str, revision: str | None) -> dict[str, Any]:
    """The field that says where a model comes from: a folder that is there wins over a hub name."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        _refuse_revision(revision, "a folder")
        return {"local_folder": str(folder.resolve())}
    if source.startswith(ARTIFACT_PREFIX):
        _refuse_revision(revision, "an artifact")
        return {"artifact_id": source.removeprefix(ARTIFACT_PREFIX)}
    if _HUB_NAME.fullmatch(source):
        return {"hub": {"repo": source, "revision": revision}}
    text = f"{source!r} is no folder here, no hub name (organisation/model) and no artifact:ID; check the path"
    raise CliError(text, EXIT_USAGE)


def _refuse_revision(revision: str | None, source: str) -> None:
    if revision is not None:
        raise CliError(f"--revision: {source} has no revisions, only a hub model has; leave it out", EXIT_USAGE)
