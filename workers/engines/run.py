"""One attempt at a job by another engine: its files, its process, its figures and its result."""

import json
import math
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from tunesmith.job.v1 import artifact_pb2, job_pb2

from services.chassis.errors import FailedPrecondition
from workers.engines import trainer_log
from workers.engines.child import Child
from workers.engines.commands import STARTED, Assignment
from workers.engines.environment import engine_python
from workers.providers.credentials import MLFLOW, WANDB
from workers.training.inputs import Inputs
from workers.training.sink import Sink, obey

# What an engine may see of the worker's environment: paths, devices and libraries' settings, and no key of anything else.
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "OMP_NUM_THREADS")
_PREFIXES = ("HF_HUB_", "HF_HOME", "HF_ENDPOINT", "NVIDIA_", "NCCL_", "TRITON_", "MLFLOW_TRACKING_URI", "WANDB_MODE")
# Of what an engine leaves behind, what loads anywhere and runs nothing.
_STORED_SUFFIXES = (".safetensors", ".json", ".jinja", ".txt", ".model")
_NOT_STORED = ("trainer_state.json", "all_results.json", "train_results.json", "debug.log")
_ADAPTER_CONFIG = "adapter_config.json"


def run(assignment: Assignment, inputs: Inputs, sink: Sink) -> None:
    """Train with the assignment's provider and store the result. Raises Stopped if told to."""
    if inputs.training_state is not None:
        sink.warning(f"{assignment.provider} does not go on where it stood: the run starts over")
    obey(sink)
    sink.stage(f"Preparing {assignment.provider}; its first job on a machine takes minutes")
    with engine_python(assignment.provider, lambda: obey(sink)) as python:
        _Attempt(assignment, inputs, sink).train(python)


class _Attempt:
    def __init__(self, assignment: Assignment, inputs: Inputs, sink: Sink) -> None:
        self._assignment = assignment
        self._inputs = inputs
        self._sink = sink
        self._began = time.monotonic()
        self._steps = 0
        self._total_steps = _total_steps(assignment)
        self._losses: list[float] = []
        self._evaluations: list[float] = []

    def train(self, python: str) -> None:
        started = STARTED[self._assignment.provider]
        folder = self._inputs.work_folder / "engine"
        folder.mkdir(parents=True)
        try:
            command = started.prepare(self._assignment, self._inputs, folder, python)
        except ValueError as error:
            raise FailedPrecondition("NO_RECIPE", f"{self._assignment.provider} can't run this job: {error}") from error
        environment = self._environment(os.environ) | dict(started.environment)
        obey(self._sink)
        self._sink.stage(f"Training with {self._assignment.provider}")
        child = Child(command, folder, environment, lambda: obey(self._sink))
        code = child.run(self._hear)
        if code:
            raise self._failure(code, child, environment)
        self._sink.stage("Saving the result")
        self._store(folder / started.output)

    def _hear(self, piece: str) -> None:
        told = trainer_log.read(piece)
        if isinstance(told, trainer_log.Evaluation):
            self._evaluations.append(told.loss)
            self._sink.metrics(self._steps, {"eval_loss": told.loss})
            self._sink.evaluated(self._steps, told.loss)
        elif told is not None:
            self._steps += 1
            if "train_loss" not in told.values:
                text = f"the training loss is no number at step {self._steps}; lower optimizer.learning_rate"
                raise FailedPrecondition("LOSS_NOT_FINITE", text)
            self._losses.append(told.values["train_loss"])
            self._sink.metrics(self._steps, told.values)
            total = max(self._total_steps, self._steps)
            remaining = (time.monotonic() - self._began) / self._steps * (total - self._steps)
            self._sink.progress(self._steps, total, told.values.get("epoch", 0.0), remaining)

    def _environment(self, worker: Mapping[str, str]) -> dict[str, str]:
        environment = {name: value for name, value in worker.items() if name in _PASSED_ON or name.startswith(_PREFIXES)}
        integrations = self._assignment.configuration.integrations
        for name, secret in (("wandb", WANDB), ("mlflow", MLFLOW)):
            if integrations.HasField(name):
                try:
                    key = secret.value(getattr(integrations, name).credential_id, worker)
                except ValueError as error:
                    raise FailedPrecondition("CREDENTIAL_REFUSED", f"integrations.{name}.credential_id: {error}") from error
                environment |= {secret.variable: key} if key else {}
        if integrations.wandb.base_url:
            environment["WANDB_BASE_URL"] = integrations.wandb.base_url
        return environment

    def _failure(self, code: int, child: Child, environment: Mapping[str, str]) -> FailedPrecondition:
        said = "\n".join(child.last_lines)
        for name in (WANDB.variable, MLFLOW.variable):
            if environment.get(name):
                said = said.replace(environment[name], "…")
        last = next((line.strip() for line in reversed(said.split("\n")) if line.strip()), "it said nothing")
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        text = f"{self._assignment.provider} {how} after {self._steps} steps; the last it said: {last}"
        return FailedPrecondition("ENGINE_FAILED", text, {"output": said[-3000:]})

    def _store(self, output: Path) -> None:
        adapter = (output / _ADAPTER_CONFIG).is_file()
        files = [
            path
            for path in sorted(output.iterdir() if output.is_dir() else ())
            if path.is_file() and path.suffix in _STORED_SUFFIXES and path.name not in _NOT_STORED
        ]
        if not any(path.suffix == ".safetensors" for path in files):
            provider = self._assignment.provider
            raise FailedPrecondition("ENGINE_FAILED", f"{provider} ended without safetensors; see the pool's log")
        name = "adapter" if adapter else "model"
        kind = artifact_pb2.ARTIFACT_KIND_ADAPTER if adapter else artifact_pb2.ARTIFACT_KIND_MODEL
        folder = self._inputs.work_folder / name
        folder.mkdir()
        for path in files:
            path.replace(folder / path.name)
        self._write_card(folder, adapter=adapter)
        self._sink.add_artifacts(kind, name, self._steps, folder)
        shutil.rmtree(folder)
        seconds = time.monotonic() - self._began
        figures = job_pb2.JobFigures(duration_seconds=seconds)
        if self._steps:
            figures.step_seconds = seconds / self._steps
        self._sink.measured(figures)

    def _write_card(self, folder: Path, *, adapter: bool) -> None:
        # Loads torch, as the recipes do.
        from workers.training.model_card import Losses, base_name, render

        base = self._assignment.base_model
        if adapter:
            # The engine wrote where the base model lay on this machine.
            path = folder / _ADAPTER_CONFIG
            settings = json.loads(path.read_text(encoding="utf-8"))
            settings |= {"base_model_name_or_path": base_name(base), "revision": base.revision or None}
            path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        losses = Losses(
            self._steps,
            self._steps,
            self._losses[0] if self._losses else None,
            self._losses[-1] if self._losses else None,
            self._evaluations[0] if self._evaluations else None,
            self._evaluations[-1] if self._evaluations else None,
        )
        (folder / "README.md").write_text(render(self._assignment, losses), encoding="utf-8")


def _total_steps(assignment: Assignment) -> int:
    """As the rows say; packed ones make fewer."""
    schedule = assignment.configuration.schedule
    if schedule.HasField("max_steps"):
        return int(schedule.max_steps)
    rows_of_a_step = max(1, schedule.batch_size * schedule.gradient_accumulation)
    return math.ceil(assignment.training_dataset.row_count / rows_of_a_step) * schedule.epochs
