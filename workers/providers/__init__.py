"""The backends a job can run on. Pure: neither Ray nor torch nor a service is imported below here."""

from workers.providers.axolotl.provider import AXOLOTL
from workers.providers.local.provider import LOCAL
from workers.providers.provider import Provider
from workers.providers.unsloth.provider import UNSLOTH

PROVIDERS: dict[str, Provider] = {"local": LOCAL, "axolotl": AXOLOTL, "unsloth": UNSLOTH}


def names() -> str:
    """What there is, for a sentence about one that isn't there."""
    return f"there are: {', '.join(sorted(PROVIDERS))}"
