"""`make demo`: a small model is trained and tuned before your eyes, on real text, through every part of Tunesmith.

A base is trained from random weights on docstrings (the full method), then tuned to write a function's summary from its signature
(LoRA). With --model and --dataset the same is done to your own, without the first step.
"""

import argparse
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from tunesmith.cli import wording
from tunesmith.cli.errors import CliError, explain
from tunesmith.cli.job_progress import JobProgress
from tunesmith.cli.job_watch import watch_job
from tunesmith.cli.output import Format, Output, table
from tunesmith.cli.session import Session
from tunesmith.cli.transfer import download, upload
from tunesmith.client.errors import AlreadyExists, TunesmithError
from tunesmith.job.v1 import artifact_pb2, job_pb2, job_state_pb2
from tunesmith.registry.v1 import dataset_pb2

from services.chassis.settings import Settings
from starter.pico import HUB_REPO
from starter.rows import Split, split_rows, write_docstrings
from starter.seed import seed
from starter.stack import Stack, StackError

# A minute or so each on two cores.
BASE_STEPS = 200
TUNING_STEPS = 120
# So small a model learns fast; a larger one wants rates a hundred times lower.
PICO_LEARNING_RATE = 4e-3
LEARNING_RATE = 2e-4


class Demo:
    """One run: what it needs at each step, and what it found."""

    def __init__(self, session: Session, folder: Path, home: Path) -> None:
        self._session = session
        self._folder = folder
        self._home = home
        self._begin = time.monotonic()
        self._jobs: list[tuple[str, job_pb2.Job]] = []

    def run(self, model: str | None, dataset: Path | None) -> None:
        """Every step, then the table."""
        if dataset is None:
            self.say("Reading docstrings of Python's standard library and the installed packages")
            text, instructions = write_docstrings(self._folder)
        else:
            instructions = self._split(dataset)
        if model is None and dataset is None:
            self.say(f"Training a base from {HUB_REPO}'s random weights on {text.training.name} (full method)")
            base = self._train("base", self._base_configuration(text))
            model = f"artifact:{self._session.client.list_artifacts(base.id, artifact_pb2.ARTIFACT_KIND_MODEL)[0].id}"
        elif model is not None:
            model = self._import(model)
        self.say("Tuning it on instructions, with as many held out (LoRA)")
        tuned = self._train("tuned", self._tuning_configuration(model or HUB_REPO, instructions))
        adapter = self._home / "demo" / tuned.id
        made = self._session.client.list_artifacts(tuned.id, artifact_pb2.ARTIFACT_KIND_ADAPTER)
        download(self._session, made, adapter, overwrite=True)
        self._summary(adapter / "adapter")

    def say(self, text: str) -> None:
        """What happens next, with the time since the start."""
        self._session.output.note(f"[{time.monotonic() - self._begin:5.0f} s] {text}", style="bold")

    def _split(self, dataset: Path) -> Split:
        """A person's own rows, checked and normalised by the registry, then split."""
        uploaded = self._upload(dataset)
        rows = self._session.client.registry.read_dataset(id=uploaded)
        return split_rows(b"".join(part.chunk for part in rows), self._folder)

    def _upload(self, file: Path) -> str:
        return upload(self._session, file, None, dataset_pb2.DATASET_FORMAT_UNSPECIFIED).id

    def _import(self, model: str) -> str:
        """A folder is imported, a hub name registered, unless it is there."""
        folder, create = Path(model), self._session.client.registry.create_base_model
        try:
            if folder.is_dir():
                # The server copies and hashes the weights before it answers.
                answer = create(request_id=f"demo-{model}"[:128], local_folder=str(folder.resolve()), timeout=None)
            else:
                answer = create(request_id=f"demo-{model}"[:128], hub={"repo": model})
        except AlreadyExists:
            return model
        return answer.base_model.id

    def _base_configuration(self, split: Split) -> dict[str, object]:
        return {
            "model": {"base_model": HUB_REPO, "precision": "MODEL_PRECISION_BF16"},
            "method": {"type": "TRAINING_METHOD_FULL"},
            **self._common(split, BASE_STEPS, PICO_LEARNING_RATE),
        }

    def _tuning_configuration(self, model: str, split: Split) -> dict[str, object]:
        rate = PICO_LEARNING_RATE if model.startswith("artifact:") else LEARNING_RATE
        lora = {"rank": 16, "alpha": 32}
        return {
            "model": {"base_model": model, "precision": "MODEL_PRECISION_BF16"},
            "method": {"type": "TRAINING_METHOD_LORA", "lora_config": lora},
            "output": {"suffix": "demo"},
            **self._common(split, TUNING_STEPS, rate),
        }

    def _common(self, split: Split, steps: int, rate: float) -> dict[str, object]:
        return {
            "datasets": {
                "training_file_id": self._upload(split.training),
                "validation_file_id": self._upload(split.held_out),
            },
            "schedule": {"max_steps": steps, "batch_size": 16, "sequence_length": 512, "evaluations": 1, "checkpoints": 0},
            "optimizer": {"learning_rate": rate, "scheduler": {"warmup_ratio": 0.1}},
            "optimizations": {"enabled": ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]},
        }

    def _train(self, name: str, configuration: dict[str, object]) -> job_pb2.Job:
        """Create a job and watch it to its end. Raises CliError unless it succeeds."""
        create = self._session.client.jobs.create_job
        job = create(provider="local", display_name=f"demo: {name}", accept_warnings=True, configuration=configuration).job
        with JobProgress(self._session.output) as progress:
            for response in watch_job(self._session, job.id):
                progress.update(response)
                job = response.job
        if job.state != job_state_pb2.JOB_STATE_SUCCEEDED:
            raise CliError(f"job {job.id} did not succeed: {job.error.message}")
        self._jobs.append((name, job))
        return job

    def _summary(self, adapter: Path) -> None:
        columns = ("model", "held-out loss before", "after", "tokens/s", "peak memory", "time")
        rows = [(name, *_figures(job.measured)) for name, job in self._jobs]
        output = self._session.output
        output.note("")
        output.note("Measured:")
        output.table(table(*columns, rows=rows))
        output.note("")
        output.note(f"Adapter   {adapter}")
        output.note(f"Gateway   {self._session.client.address.url}")
        output.note(f"All in    {time.monotonic() - self._begin:.0f} s")


def _figures(measured: job_pb2.JobFigures) -> tuple[str, ...]:
    return (
        wording.number(measured.first_evaluation_loss),
        wording.number(measured.last_evaluation_loss),
        f"{measured.tokens_per_second:,.0f}",
        wording.size(measured.peak_memory_bytes),
        wording.duration(measured.duration_seconds),
    )


def main() -> int:
    """Run the demo. Answers its exit code: 0 if both jobs succeeded."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", help="a hub name, or a folder with a model of your own")
    parser.add_argument("--dataset", type=Path, help="rows of your own: .jsonl, .json, .csv or .parquet")
    arguments = parser.parse_args()
    # However the demo is ended, the stack that it started has to end too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = Settings()
    session = Session(None, Output(Format.TABLE))
    try:
        with Stack(settings, session.client.address.url) as stack, tempfile.TemporaryDirectory() as folder:
            demo = Demo(session, Path(folder), settings.home)
            demo.say("Starting the stack")
            stack.wait_until_ready(session)
            demo.run(arguments.model, arguments.dataset)
            if sys.stdin.isatty():
                # Not while it trained: pools build each model once, and that would have been in the figures.
                seed(session.client)
                session.output.note("The stack stays up; Ctrl-C ends it.")
                threading.Event().wait()
    except KeyboardInterrupt:
        session.output.note("stopped")
    except (StackError, CliError, TunesmithError) as error:
        lines = explain(error).lines if isinstance(error, TunesmithError) else [str(error)]
        for line in lines:
            session.output.note(f"error: {line}", style="red")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
