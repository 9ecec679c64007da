"""`python -I run_scripts.py FOLDER…`: run each folder's train.py as if Tunesmith were not installed; its losses as losses.json.

One process for all of them, since what takes long is to import torch.
"""

import json
import os
import runpy
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

OURS = {"tunesmith", "services", "workers", "tests", "supervisor", "starter"}


class NotInstalled(MetaPathFinder):
    """Finds nothing of ours, and nothing else either."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Refuse what is ours."""
        if name.partition(".")[0] in OURS:
            raise ModuleNotFoundError(f"No module named {name!r}, as on a machine without Tunesmith", name=name)


def main(folders: list[Path]) -> None:
    """Run them one after the other."""
    sys.meta_path.insert(0, NotInstalled())
    import torch

    torch.set_num_threads(1)
    for folder in folders:
        os.chdir(folder)
        sys.argv = ["train.py", *json.loads((folder / "arguments.json").read_text())]
        runpy.run_path("train.py", run_name="__main__")
        history = json.loads((folder / "output" / "trainer_state.json").read_text())["log_history"]
        losses = {key: [entry[key] for entry in history if key in entry] for key in ("loss", "eval_loss", "grad_norm")}
        (folder / "losses.json").write_text(json.dumps(losses))
    assert not OURS & {name.partition(".")[0] for name in sys.modules}


if __name__ == "__main__":
    main([Path(folder) for folder in sys.argv[1:]])
