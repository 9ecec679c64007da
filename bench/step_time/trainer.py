"""`python -m bench.step_time.trainer`: a process like a pool's warm actor, told on standard input what to do, a line each.

`probe` answers with what the probe found, `train FOLDER CASE` with the seconds of each step. Answers are marked lines.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from tunesmith.pool.v1 import pool_pb2
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.worker.v1 import worker_service_pb2

from bench.step_time.cases import EVERY, Case
from workers import devices
from workers.actor import MAX_PRIMITIVES, PRIMITIVES_VARIABLE, use_threads_of_a_plain_script
from workers.own_thread import in_own_thread
from workers.training.sink import Nobody

MARK = "TOLD "
# As an idle pool goes about it.
SLICE_S = 0.15


class Listener(Nobody):
    """A sink that keeps what a step took."""

    def __init__(self) -> None:
        self.step_seconds = 0.0

    def measured(self, figures: Any) -> None:
        if figures.HasField("step_seconds"):
            self.step_seconds = figures.step_seconds


def main() -> None:
    """Warm up as an actor does, then obey."""
    use_threads_of_a_plain_script(None)
    os.environ.setdefault(PRIMITIVES_VARIABLE, MAX_PRIMITIVES)
    folder = Path(sys.argv[1])
    from workers.training.memory import settle
    from workers.training.warm_up import warm_up

    (folder / "warm-up").mkdir()
    in_own_thread(lambda: warm_up(folder / "warm-up"))
    settle()
    _tell({"ready": True})
    for line in sys.stdin:
        words = line.split()
        _tell(_probe() if words[0] == "probe" else _train(Path(words[1]), EVERY[words[2]]))


def _probe() -> dict[str, Any]:
    from workers.training.probing import Probing

    probing = Probing([devices.cpu()], lambda: 0)
    found: list[list[pool_pb2.Device] | None] = [None]
    while found[-1] is None:
        in_own_thread(lambda: found.append(probing.advance(SLICE_S)))
    return MessageToDict(found[-1][0], preserving_proto_field_name=True)


def _train(base: Path, case: Case) -> dict[str, Any]:
    from workers.training.attempt import run
    from workers.training.inputs import Inputs

    assignment = worker_service_pb2.Assignment(provider="local", configuration=case.configuration())
    assignment.base_model.display_name = case.shape
    assignment.training_dataset.format = dataset_pb2.DATASET_FORMAT_TEXT
    work, sink = base / "work", Listener()
    inputs = Inputs(str(base / "base"), None, base / f"{case.name}.jsonl", None, work)
    try:
        in_own_thread(lambda: run(assignment, inputs, sink))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return {"step_seconds": sink.step_seconds}


def _tell(answer: dict[str, Any]) -> None:
    sys.stdout.write(f"{MARK}{json.dumps(answer)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
