"""`python -m bench.training.job FOLDER`: one attempt in this process, as an actor makes it.

Prints what the plain script prints. The folder has `base`, `rows.jsonl` and `settings.json`.
"""

import contextlib
import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict
from tunesmith.job.v1 import job_pb2
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.worker.v1 import worker_service_pb2

from bench.training.cases import Settings
from bench.training.script import MARK
from services.chassis.knobs import resolve_defaults
from workers.actor import MAX_PRIMITIVES, PRIMITIVES_VARIABLE, use_threads_of_a_plain_script
from workers.own_thread import in_own_thread
from workers.training.sink import Nobody


class Listener(Nobody):
    """A sink that reads its figures as a reporter would, and keeps the loss."""

    def __init__(self) -> None:
        self.figures = job_pb2.JobFigures()
        self.last_loss = 0.0

    def warning(self, message: str) -> None:
        sys.stderr.write(f"{message}\n")

    def metrics(self, step: int, values: dict[str, float]) -> None:
        self.last_loss = values.get("train_loss", self.last_loss)

    def measured(self, figures: job_pb2.JobFigures) -> None:
        self.figures.MergeFrom(figures)


class Trained(Exception):
    """The last step is done."""


def main(folder: Path) -> None:
    """What workers.actor does around an attempt."""
    settings = Settings(**json.loads((folder / "settings.json").read_text()))
    use_threads_of_a_plain_script(None)
    os.environ.setdefault(PRIMITIVES_VARIABLE, MAX_PRIMITIVES)
    told: list[dict[str, float]] = []
    in_own_thread(lambda: told.append(_train(folder, settings)))
    sys.stdout.write(f"{MARK}{json.dumps(told[0])}\n")


def _train(folder: Path, settings: Settings) -> dict[str, float]:
    from workers.training.attempt import Attempt
    from workers.training.inputs import Inputs
    from workers.training.recipes import recipe_of

    gc.collect()
    gc.freeze()
    assignment, listener = _assignment(settings), Listener()
    recipe = recipe_of(assignment.configuration.method.objective)
    attempt = Attempt(assignment, Inputs(str(folder / "base"), None, folder / "rows.jsonl", None, folder / "work"), listener)
    seconds: list[float] = []
    held: list[Any] = []
    prepared = attempt.train

    def train(trainer: Any, total_steps: int, processor: Any) -> None:
        own = trainer.train

        def timed() -> None:
            """The trainer's own `train` and nothing around it, as the script has it."""
            if not settings.tells:
                trainer.remove_callback(attempt.recorder)
                trainer.args.logging_strategy = "no"
            began = time.perf_counter()
            own()
            seconds.append(time.perf_counter() - began)
            held.append(trainer)
            raise Trained

        trainer.train = timed
        prepared(trainer, total_steps, processor)

    attempt.train = train  # type: ignore[method-assign]  # what is stored afterwards is no part of training
    with contextlib.suppress(Trained):
        recipe(attempt)
    (trainer,) = held
    peak = attempt.recorder.recorded()["peak_memory_bytes"] / 1024**2
    return {
        "training_s": seconds[0],
        "tokens": trainer._total_train_tokens,
        "last_loss": listener.last_loss,
        "peak_mib": peak,
    }


def _assignment(settings: Settings) -> worker_service_pb2.Assignment:
    assignment = worker_service_pb2.Assignment(provider="local")
    ParseDict(settings.configuration(), assignment.configuration)
    resolve_defaults(assignment.configuration)
    assignment.base_model.display_name = "measured"
    assignment.training_dataset.format = dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION
    return assignment


if __name__ == "__main__":
    main(Path(sys.argv[1]))
