"""How a section says what becomes of its fields."""

from collections.abc import Callable
from typing import Any

from workers.providers.provider import SENT, Choices, JobConfiguration, Lowered, Rule

# What a section gives the trainer, by the name of the argument.
Arguments = Callable[[JobConfiguration], dict[str, Any]]


def sent(detail: str) -> Rule:
    """A field that acts, and needs no more than a sentence."""
    return lambda _: [Lowered(SENT, detail)]


def argument(arguments: Arguments, name: str) -> Rule:
    """A field that the trainer takes under another name, with the value it gets."""
    return lambda resolved: [Lowered(SENT, f"the trainer gets {name}={arguments(resolved)[name]!r}")]


def choice(choices: Choices, value: Callable[[JobConfiguration], int]) -> Rule:
    """A field of one value some of whose values don't act."""
    return lambda resolved: [chosen(choices, value(resolved))]


def chosen(choices: Choices, value: int) -> Lowered:
    """What becomes of one value."""
    return Lowered(SENT, choices.acting[value]) if value in choices.acting else Lowered(choices.action, choices.reason(value))
