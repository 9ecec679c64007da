"""Where a recipe finds what it trains on."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Inputs:
    """A job's inputs on this machine. Rows are one JSON object a line, in the format that the assignment's dataset names."""

    # A folder, or a hub name.
    base_model: str
    # The hub revision; None for a folder, or for the hub's default branch.
    revision: str | None
    training_rows: Path
    validation_rows: Path | None
    # The recipe may write here, and leaves nothing behind that anyone needs.
    work_folder: Path
    # Where an earlier attempt stood; None to begin at the beginning.
    training_state: Path | None = None
    # How often to store where training stands.
    training_state_seconds: float = 60.0
    # Where tokenised rows are kept for other jobs; None to keep none.
    tokenised_folder: Path | None = None
    # Whom a distillation imitates, as `base_model` and `revision` say it; None for a job without a teacher.
    teacher_model: str | None = None
    teacher_revision: str | None = None
