"""What every process of a training is given."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """An assignment, and where things are. Plain values: they cross from process to process."""

    # Serialised.
    assignment: bytes
    # The agents' door.
    address: str
    log_level: str
    cache_folder: str
    cache_max_bytes: int
    work_folder: str
    training_state_seconds: float
    # torch's, of one process; None leaves it to torch.
    threads: int | None
