"""What transformers' trainer prints, read back: `{'loss': '1.234', 'grad_norm': '0.5', 'epoch': '0.1'}` among progress bars."""

import ast
import math
import re
from dataclasses import dataclass

_ENTRY = re.compile(r"\{'[^{}]*\}")
# As its entries call them, and as a job's series are called.
_SERIES = {"loss": "train_loss", "learning_rate": "learning_rate", "grad_norm": "gradient_norm", "epoch": "epoch"}


@dataclass(frozen=True)
class Step:
    """One optimiser step's figures, by the names of a job's series; none if its loss is no number any more."""

    values: dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """An evaluation's loss."""

    loss: float


def read(piece: str) -> Step | Evaluation | None:
    """What a piece of output tells; None if it tells nothing of the run. Figures that are no numbers are left out."""
    found = _ENTRY.search(piece)
    if found is None:
        return None
    try:
        entry = ast.literal_eval(found[0])
    except (ValueError, SyntaxError):
        return None
    figures = {str(name): _number(value) for name, value in entry.items()}
    if figures.get("eval_loss") is not None:
        return Evaluation(figures["eval_loss"] or 0.0)
    if "loss" not in figures:
        return None
    if figures["loss"] is None:
        return Step({})
    return Step({series: value for name, series in _SERIES.items() if (value := figures.get(name)) is not None})


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
