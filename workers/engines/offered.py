"""Which engines a pool offers, by its setting."""

from collections.abc import Iterable

from workers.providers.engines import ENGINES, SETTING


def offered(setting: Iterable[str]) -> dict[str, str | None]:
    """Each engine that was named with its Python: `unsloth=/opt/unsloth/bin/python`, or None for an environment that Ray makes.

    Raises ValueError for a name that is no engine's.
    """
    found: dict[str, str | None] = {}
    for entry in setting:
        name, _, python = entry.partition("=")
        if name not in ENGINES:
            raise ValueError(f"{SETTING} names {name!r}, which is no engine; there are: {', '.join(sorted(ENGINES))}")
        found[name] = python or None
    return found
