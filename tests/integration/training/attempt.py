"""`python -m tests.integration.training.attempt FOLDER`: one attempt in a process that ran nothing before.

The folder has `assignment`, serialised, and `inputs.json`; afterwards `points.json`, and what was stored below `stored`.
"""

import json
import sys
from pathlib import Path

import torch
from tunesmith.worker.v1 import worker_service_pb2

from tests.integration.training.conftest import RecordingSink
from workers.training.attempt import run
from workers.training.inputs import Inputs


def main(folder: Path) -> None:
    """Run it to its end."""
    torch.set_num_threads(1)
    assignment = worker_service_pb2.Assignment.FromString((folder / "assignment").read_bytes())
    given = json.loads((folder / "inputs.json").read_text())
    names = ("training_rows", "validation_rows", "work_folder", "training_state")
    rows, validation, work_folder, earlier = (Path(given[name]) for name in names)
    sink = RecordingSink(folder / "stored")
    run(assignment, Inputs(given["base_model"], None, rows, validation, work_folder, earlier), sink)
    (folder / "points.json").write_text(json.dumps({"points": sink.points, "stages": sink.stages}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
