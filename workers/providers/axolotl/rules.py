"""How a section says what Axolotl gets."""

from workers.providers.local.rules import Arguments
from workers.providers.provider import CONVERTED, DROPPED, SENT, JobConfiguration, Lowered, Rule


def given(arguments: Arguments, name: str, *, converted: bool = False) -> Rule:
    """A field that Axolotl takes under a name of its schema, with the value it gets; an empty text is not sent."""
    action = CONVERTED if converted else SENT

    def rule(resolved: JobConfiguration) -> list[Lowered]:
        values = arguments(resolved)
        if name not in values:
            return [Lowered(DROPPED, f"there is nothing to give Axolotl as {name}; remove it")]
        return [Lowered(action, f"Axolotl gets {name}={values[name]!r}")]

    return rule
