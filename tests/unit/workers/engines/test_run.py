"""An attempt by another engine, with one that behaves as a real one does."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.job.v1 import artifact_pb2, job_pb2
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import FailedPrecondition
from services.chassis.knobs import resolve_defaults
from workers.actor import ENGINE_RECIPES
from workers.engines import child, trainer_log
from workers.engines.offered import offered
from workers.engines.run import run
from workers.providers.credentials import MLFLOW, WANDB
from workers.training.inputs import Inputs
from workers.training.sink import Stopped

FAKE = Path(__file__).with_name("fake_engine.py")
CONTINUE, CANCEL = worker_service_pb2.DIRECTIVE_CONTINUE, worker_service_pb2.DIRECTIVE_CANCEL


@dataclass
class Heard:
    """A sink that remembers."""

    stored: Path
    told_to: Any = CONTINUE
    stages: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    points: dict[str, dict[int, float]] = field(default_factory=dict)
    steps: list[tuple[int, int]] = field(default_factory=list)
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    sets: list[tuple[Any, str, int, list[str]]] = field(default_factory=list)
    figures: job_pb2.JobFigures = field(default_factory=job_pb2.JobFigures)

    def stage(self, message: str) -> None:
        self.stages.append(message)

    def warning(self, message: str) -> None:
        self.warnings.append(message)

    def progress(self, step: int, total_steps: int, epoch: float, remaining_s: float | None) -> None:
        self.steps.append((step, total_steps))

    def metrics(self, step: int, values: dict[str, float]) -> None:
        for key, value in values.items():
            self.points.setdefault(key, {})[step] = value

    def evaluated(self, step: int, loss: float) -> None:
        self.evaluations.append((step, loss))

    def add_artifacts(self, kind: Any, name: str, step: int, folder: Path) -> None:
        self.sets.append((kind, name, step, sorted(path.name for path in folder.iterdir())))
        folder.rename(self.stored)
        folder.mkdir()

    def measured(self, figures: job_pb2.JobFigures) -> None:
        self.figures.MergeFrom(figures)

    def directive(self) -> Any:
        return self.told_to


@dataclass
class Tried:
    """A job for an engine, and what it tells."""

    assignment: worker_service_pb2.Assignment
    inputs: Inputs
    sink: Heard

    def run(self) -> Heard:
        run(self.assignment, self.inputs, self.sink)
        return self.sink

    def seen(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.inputs.work_folder / "engine" / "seen.json").read_text())
        return found


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Tried]:
    """A LoRA job of four steps, whose base model's folder says what goes wrong."""
    package = tmp_path / "engine" / "axolotl" / "cli"
    package.mkdir(parents=True)
    (package / "train.py").write_text(FAKE.read_text())
    python = tmp_path / "python"
    # As an environment of its own has it: its Python finds the engine.
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "engine"} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("TUNESMITH_ENGINES", f"axolotl={python}, unsloth")
    monkeypatch.setenv("SOME_SECRET", "of the worker")

    def tried(wrong: str = "", **over: Any) -> Tried:
        base, rows = tmp_path / "base", tmp_path / "rows.jsonl"
        base.mkdir()
        (base / "wrong").write_text(wrong)
        rows.write_text('{"instruction": "a", "output": "b"}\n' * 8)
        assignment = worker_service_pb2.Assignment(
            lease=worker_service_pb2.LeaseToken(job_id="job", epoch=1),
            provider="axolotl",
            base_model=base_model_pb2.BaseModel(id="base", hub_repo="me/tiny", display_name="tiny"),
            training_dataset=dataset_pb2.Dataset(format=dataset_pb2.DATASET_FORMAT_ALPACA, row_count=8, display_name="rows"),
        )
        settings = {
            "model": {"base_model": "me/tiny"},
            "datasets": {"training_file_id": "rows"},
            "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {}},
            "schedule": {"max_steps": 4},
        }
        ParseDict(settings | over, assignment.configuration)
        resolve_defaults(assignment.configuration)
        work = tmp_path / "work"
        work.mkdir()
        return Tried(assignment, Inputs(str(base), None, rows, None, work), Heard(tmp_path / "stored"))

    return tried


def test_a_run_s_figures_and_its_result_are_those_of_the_engine(make: Callable[..., Tried]) -> None:
    tried = make()
    heard = tried.run()
    assert heard.points["train_loss"] == {1: 2.0, 2: 1.0, 3: 0.6667, 4: 0.5}
    assert heard.points["learning_rate"][1] == 0.001
    assert heard.points["gradient_norm"][1] == 0.5
    assert heard.evaluations == [(4, 0.75)]
    assert heard.steps[-1][1] == 4
    files = ["README.md", "adapter_config.json", "adapter_model.safetensors", "tokenizer.json"]
    assert heard.sets == [(artifact_pb2.ARTIFACT_KIND_ADAPTER, "adapter", 4, files)]
    assert json.loads((heard.stored / "adapter_config.json").read_text())["base_model_name_or_path"] == "me/tiny"
    assert str(tried.inputs.base_model) not in (heard.stored / "README.md").read_text()
    assert heard.figures.duration_seconds > 0
    assert heard.warnings == []


def test_the_engine_gets_its_yaml_and_none_of_the_worker_s_secrets(
    make: Callable[..., Tried], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_TEAM_API_KEY", "k")
    wandb = {"project": "p", "credential_id": "WANDB_TEAM_API_KEY", "base_url": "https://w.example"}
    tried = make(integrations={"wandb": wandb})
    tried.run()
    seen = tried.seen()
    assert seen["configuration"]["base_model"] == tried.inputs.base_model
    assert seen["configuration"]["wandb_project"] == "p"
    assert "SOME_SECRET" not in seen["environment"]
    assert (seen["environment"]["WANDB_API_KEY"], seen["environment"]["WANDB_BASE_URL"]) == ("k", "https://w.example")
    assert "k" not in json.dumps(seen["configuration"]).split('"')


def test_a_failure_says_what_the_engine_said_last_and_no_key(make: Callable[..., Tried], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "s3cret")
    with pytest.raises(
        FailedPrecondition, match="axolotl ended with code 3 after 4 steps; the last it said: the key was …"
    ) as failure:
        make("fail", integrations={"wandb": {"project": "p"}}).run()
    assert "CUDA out of memory" in str(failure.value.status())
    assert "s3cret" not in str(failure.value.status())


def test_a_loss_that_is_no_number_ends_the_job(make: Callable[..., Tried]) -> None:
    with pytest.raises(FailedPrecondition, match="no number at step 3; lower optimizer"):
        make("nan").run()


def test_a_cancelled_job_ends_its_engine(make: Callable[..., Tried], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "LOOK_S", 0.05)
    tried = make("hang")
    monkeypatch.setattr(tried.sink, "progress", lambda *_: setattr(tried.sink, "told_to", CANCEL))
    with pytest.raises(Stopped):
        tried.run()
    process = int((Path(tried.inputs.base_model) / "pid").read_text())
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and Path(f"/proc/{process}").exists():
        time.sleep(0.05)
    assert not Path(f"/proc/{process}").exists()
    assert tried.sink.sets == []


def test_a_pool_without_the_engine_says_what_to_do(make: Callable[..., Tried], monkeypatch: pytest.MonkeyPatch) -> None:
    tried = make()
    monkeypatch.setenv("TUNESMITH_ENGINES", "")
    with pytest.raises(FailedPrecondition, match="does not run axolotl; start an agent with TUNESMITH_ENGINES=axolotl"):
        tried.run()
    monkeypatch.setenv("TUNESMITH_ENGINES", "axolotl=/nowhere/python")
    with pytest.raises(FailedPrecondition, match="runs in /nowhere/python, which is not there"):
        tried.run()


def test_engines_are_offered_by_name() -> None:
    assert offered(["axolotl", "unsloth=/opt/python"]) == {"axolotl": None, "unsloth": "/opt/python"}
    with pytest.raises(ValueError, match="names 'axolotel', which is no engine; there are: axolotl, unsloth"):
        offered(["axolotel"])
    assert {provider for provider, _ in ENGINE_RECIPES} == {"axolotl", "unsloth"}
    assert len(ENGINE_RECIPES) == 3 + 1


@pytest.mark.parametrize(
    ("secret", "name", "allowed"),
    [
        (WANDB, "", True),
        (WANDB, "WANDB_API_KEY", True),
        (WANDB, "WANDB_STAGING_TOKEN", True),
        (WANDB, "HF_TOKEN", False),
        (WANDB, "AWS_SECRET_ACCESS_KEY", False),
        (MLFLOW, "MLFLOW_TRACKING_TOKEN", True),
        (MLFLOW, "WANDB_API_KEY", False),
        (MLFLOW, "MLFLOW_TOKEN; rm", False),
    ],
)
def test_only_a_service_s_own_keys_go_to_it(secret: Any, name: str, allowed: bool) -> None:
    environment = {name or secret.variable: "value"}
    if allowed:
        assert secret.value(name, environment) == "value"
        assert secret.value(name, {}) is None
    else:
        with pytest.raises(ValueError, match="names no key for it"):
            secret.value(name, environment)


@pytest.mark.parametrize(
    ("piece", "told"),
    [
        (
            "{'loss': '5.9', 'grad_norm': '0.5', 'epoch': '0.2'}",
            trainer_log.Step({"train_loss": 5.9, "gradient_norm": 0.5, "epoch": 0.2}),
        ),
        (
            " 25%|##| 1/4 [00:04]   {'loss': 1, 'learning_rate': 1e-05}",
            trainer_log.Step({"train_loss": 1.0, "learning_rate": 1e-05}),
        ),
        ("{'eval_loss': '0.5', 'eval_runtime': '1'}", trainer_log.Evaluation(0.5)),
        ("{'train_runtime': '6.8', 'train_loss': '5.9'}", None),
        ("{'loss': __import__('os')}", None),
        ("{'loss': 'nan'}", trainer_log.Step({})),
        ("no figures here", None),
    ],
)
def test_the_trainer_s_lines_are_read(piece: str, told: Any) -> None:
    assert trainer_log.read(piece) == told
