"""What is different in each process of a training state: the random numbers. Weights and optimiser are equal in all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save

from workers.training import random_state
from workers.training.training_state import TrainingState

_NUMBERS = "numbers"


def serialised() -> bytes:
    """This process's random numbers, as a safetensors file."""
    tensors, numbers = random_state.capture()
    return save(tensors, metadata={_NUMBERS: json.dumps(numbers)})


def write_others(folder: Path, everyones: Sequence[bytes]) -> None:
    """Put the random numbers of every process but the first, which has its own already, beside a state."""
    for rank, content in enumerate(everyones):
        if rank:
            _file(folder, rank).write_bytes(content)


@dataclass(frozen=True)
class ProcessState(TrainingState):
    """A stored state, as one of the processes goes on from it."""

    rank: int

    def restore_random(self) -> None:
        """Set this process's random numbers."""
        if self.rank == 0:
            super().restore_random()
            return
        with safe_open(_file(self.folder, self.rank), framework="pt", backend="pread") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
            random_state.restore(tensors, json.loads(file.metadata()[_NUMBERS]))


def _file(folder: Path, rank: int) -> Path:
    return folder / f"process-{rank:05}.safetensors"
