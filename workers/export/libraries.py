"""Libraries that only an export needs, so that a pool without them trains all the same."""

from importlib.util import find_spec

from services.chassis.errors import FailedPrecondition


def need(what: str, *names: str) -> None:
    """Raise FailedPrecondition, with what to install, unless all these libraries are there."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        text = (
            f"this pool can't write {what}: install {' and '.join(missing)} where its agent runs "
            f"(pip install {' '.join(missing)}), or export with format MERGED"
        )
        raise FailedPrecondition("LIBRARY_MISSING", text)
