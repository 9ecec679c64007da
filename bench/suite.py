"""A bench: what is set up, which arms are measured, and what is made of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from bench.figures import Figure
from bench.interleave import Arm


@dataclass(frozen=True)
class Plan:
    """The arms that can be measured on this machine, and of those that can't why not, by the arm's name."""

    arms: list[Arm]
    absent: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """A bench by its name. `prepare` holds what the arms share for as long as they are measured; told whether to be quick."""

    name: str
    title: str
    prepare: Callable[[bool], AbstractContextManager[Plan]]
    figures: tuple[Figure, ...]
    # Distributions whose versions the figures depend on.
    distributions: tuple[str, ...] = ()
