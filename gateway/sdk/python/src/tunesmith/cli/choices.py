"""Enum values as people type them: `succeeded` for JOB_STATE_SUCCEEDED."""

import difflib
from typing import Any

from tunesmith.cli.errors import EXIT_USAGE, CliError


def chosen(enum: Any, prefix: str, option: str, typed: str) -> int:
    """The number of a value, with or without its prefix, in any case. Raises CliError that names the nearest one."""
    names = [value.name.removeprefix(prefix).lower() for value in enum.DESCRIPTOR.values if value.number != 0]
    wanted = typed.upper().removeprefix(prefix).lower().replace("-", "_")
    if wanted not in names:
        near = difflib.get_close_matches(wanted, names, 1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise CliError(f"{option} {typed}: no such value; {advice}", EXIT_USAGE)
    return int(enum.Value(f"{prefix}{wanted.upper()}"))
