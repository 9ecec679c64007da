"""The weights that stood at the evaluation with the lowest loss."""

import shutil
from pathlib import Path
from typing import Any

from workers.training.training_state import BEST, read_weights, trained, write_tensors


class BestWeights:
    """Keeps one set of trained weights in a folder of its own, and brings it back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, trainer: Any) -> None:
        """Keep the weights as they are now instead of those that were kept."""
        arriving = self._folder.with_name(f"{self._folder.name}.new")
        shutil.rmtree(arriving, ignore_errors=True)
        arriving.mkdir(parents=True)
        write_tensors(arriving, BEST, trained(trainer).items())
        shutil.rmtree(self._folder, ignore_errors=True)
        arriving.rename(self._folder)

    def restore(self, trainer: Any) -> None:
        """Set the weights that were kept."""
        read_weights(trainer, self._folder, BEST)

    def files(self) -> list[Path]:
        """What is kept, for a training state to take along."""
        return sorted(self._folder.glob(f"{BEST}-*.safetensors"))

    def take_over(self, state: Path) -> None:
        """Go on from what an earlier attempt kept."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(state.glob(f"{BEST}-*.safetensors")):
            shutil.copyfile(file, self._folder / file.name)
