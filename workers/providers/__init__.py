"""The backends a job can run on. Pure: neither Ray nor torch nor a service is imported below here."""

from workers.providers.local import LOCAL
from workers.providers.provider import Provider

PROVIDERS: dict[str, Provider] = {"local": LOCAL}


def names() -> str:
    """What there is, for a sentence about one that isn't there."""
    return f"there are: {', '.join(sorted(PROVIDERS))}"
