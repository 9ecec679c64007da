"""Where an export finds what it is made from."""

from dataclasses import dataclass
from pathlib import Path

# The file that makes a set an adapter: weights beside a base model, and no model by themselves.
ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class ExportInputs:
    """An export's inputs on this machine."""

    # A folder, or a hub name; None where the source is a whole model.
    base_model: str | None
    # The hub revision; None for a folder, or for the hub's default branch.
    revision: str | None
    # The files of the set that is exported.
    source: Path
    # The export may write here, and leaves nothing behind that anyone needs.
    work_folder: Path
