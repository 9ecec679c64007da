"""What a configuration may name as a credential: an environment variable of the worker, never its value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# As the registry has it, so that no configuration reads another variable of the worker's environment.
_TOKEN_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*_TOKEN")
TOKEN_RULE = "must be the name of an environment variable of the worker that ends in _TOKEN, such as HF_TOKEN"  # noqa: S105


def is_token_variable(name: str) -> bool:
    """Whether a name may be that of a variable that holds a token."""
    return _TOKEN_VARIABLE.fullmatch(name) is not None


@dataclass(frozen=True)
class Secret:
    """A tracker's key: where its library looks for it, and which variables of the worker may hold one for it.

    A name begins with the tracker's, or a configuration could have any secret of the worker sent to a server of its choice.
    """

    variable: str
    allowed: str

    @property
    def rule(self) -> str:
        """What a name must be."""
        return f"must be {self.variable}, or an environment variable of the worker that matches {self.allowed}"

    def allows(self, name: str) -> bool:
        """Whether a variable may hold a key for it; an empty name is its own."""
        return not name or re.fullmatch(self.allowed, name) is not None

    def value(self, name: str, environment: Mapping[str, str]) -> str | None:
        """The key; None if the worker has none. Raises ValueError for a name that may not hold one."""
        if not self.allows(name):
            raise ValueError(f"{name!r} names no key for it; it {self.rule}")
        return environment.get(name or self.variable) or None


WANDB = Secret("WANDB_API_KEY", r"WANDB_([A-Z0-9_]+_)?(API_KEY|TOKEN)")
MLFLOW = Secret("MLFLOW_TRACKING_TOKEN", r"MLFLOW_([A-Z0-9_]+_)?(API_KEY|TOKEN)")
