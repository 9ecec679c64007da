"""Figures go to the trackers that a job names, and no tracker is of any consequence to the job."""

import os
import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.worker.v1 import worker_service_pb2

from workers.training import trackers
from workers.training.sink import Stopped
from workers.training.trackers import tracked

WANDB = {"wandb": {"project": "p", "base_url": "https://w.example"}}
MLFLOW = {"mlflow": {"experiment": "e", "tracking_uri": "http://m.example"}}
TRACKIO = {"trackio": {"project": "t", "space_id": "me/space", "run_name": "mine"}}


class Heard:
    """A sink that remembers points and warnings."""

    def __init__(self) -> None:
        self.points: list[tuple[int, dict[str, float]]] = []
        self.warnings: list[str] = []
        self.stages: list[str] = []

    def metrics(self, step: int, values: dict[str, float]) -> None:
        self.points.append((step, values))

    def warning(self, message: str) -> None:
        self.warnings.append(message)

    def stage(self, message: str) -> None:
        self.stages.append(message)


def job(**integrations: Any) -> worker_service_pb2.Assignment:
    """A job that names these trackers."""
    assignment = worker_service_pb2.Assignment(display_name="first", lease=worker_service_pb2.LeaseToken(job_id="j1"))
    configuration = {"model": {"base_model": "me/tiny"}, "schedule": {"epochs": 3}, "integrations": integrations}
    ParseDict(configuration, assignment.configuration)
    return assignment


def run(assignment: worker_service_pb2.Assignment, environment: dict[str, str] | None = None, steps: int = 3) -> Heard:
    """Three steps under it."""
    heard: Any = Heard()
    with tracked(assignment, heard, environment or {}) as sink:
        sink.stage("Training")
        for step in range(1, steps + 1):
            sink.metrics(step, {"train_loss": 1.0 / step})
    assert heard.stages == ["Training"]
    assert [step for step, _ in heard.points] == list(range(1, steps + 1))
    return heard


class Recorded:
    """What a fake library was told."""

    def __init__(self) -> None:
        self.begun: dict[str, Any] = {}
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.ended: list[Any] = []
        self.threads: set[str] = set()

    def log(self, values: dict[str, float], step: int) -> None:
        self.threads.add(threading.current_thread().name)
        self.logged.append((step, values))

    def finish(self, exit_code: int | None = None) -> None:
        self.ended.append(exit_code)


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    module: Any = ModuleType("wandb")
    module.Settings = lambda **given: given

    def init(**given: Any) -> Recorded:
        recorded.begun = given
        return recorded

    module.init = init
    monkeypatch.setitem(sys.modules, "wandb", module)
    return recorded


def test_wandb_gets_configuration_figures_and_link_but_no_key(wandb: Recorded) -> None:
    heard = run(job(**WANDB), {"WANDB_API_KEY": "s3cret"})
    assert heard.warnings == []
    assert (wandb.begun["project"], wandb.begun["name"]) == ("p", "first")
    assert wandb.begun["settings"] == {"api_key": "s3cret", "base_url": "https://w.example", "silent": True, "console": "off"}
    assert wandb.begun["config"]["tunesmith.link"] == "/jobs/j1"
    assert wandb.begun["config"]["schedule.epochs"] == 3
    assert "s3cret" not in str(wandb.begun["config"])
    assert wandb.logged == [(1, {"train_loss": 1.0}), (2, {"train_loss": 0.5}), (3, {"train_loss": 1.0 / 3})]
    assert wandb.ended == [0]
    assert wandb.threads == {"trackers"}


def test_a_run_that_fails_is_told_as_failed(wandb: Recorded) -> None:
    heard: Any = Heard()
    with pytest.raises(RuntimeError), tracked(job(**WANDB), heard, {}):
        raise RuntimeError
    with pytest.raises(Stopped), tracked(job(**WANDB), heard, {}):
        raise Stopped(worker_service_pb2.DIRECTIVE_PAUSE)
    assert wandb.ended == [1, 0]


def test_mlflow_gets_batches_and_its_token_for_the_time_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, Any]] = []

    class Client:
        def __init__(self, tracking_uri: str | None) -> None:
            told.append(("client", (tracking_uri, os.environ.get("MLFLOW_TRACKING_TOKEN"))))

        def get_experiment_by_name(self, name: str) -> Any:
            return None

        def create_experiment(self, name: str) -> str:
            told.append(("experiment", name))
            return "7"

        def create_run(self, experiment_id: str, run_name: str, tags: dict[str, str]) -> Any:
            told.append(("run", (experiment_id, run_name, tags)))
            return SimpleNamespace(info=SimpleNamespace(run_id="r"))

        def log_batch(self, run_id: str, metrics: Any = (), params: Any = ()) -> None:
            told.append(("batch", [(one.key, one.value, one.step) for one in metrics] or dict(params)))

        def set_terminated(self, run_id: str, status: str) -> None:
            told.append(("ended", status))

    module: Any = ModuleType("mlflow")
    module.MlflowClient = Client
    entities: Any = ModuleType("mlflow.entities")
    entities.Param = lambda key, value: (key, value)
    entities.Metric = lambda key, value, timestamp, step: SimpleNamespace(key=key, value=value, step=step)
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "the worker's")

    settings = {"mlflow": MLFLOW["mlflow"] | {"credential_id": "MLFLOW_TEAM_TOKEN"}}
    assert run(job(**settings), {"MLFLOW_TEAM_TOKEN": "of the team"}).warnings == []

    assert told[0] == ("client", ("http://m.example", "of the team"))
    assert told[1:3] == [("experiment", "e"), ("run", ("7", "first", {"tunesmith.link": "/jobs/j1"}))]
    assert told[3][1]["model.base_model"] == "me/tiny"
    assert [point for kind, points in told[4:-1] if kind == "batch" for point in points] == [
        ("train_loss", 1.0, 1),
        ("train_loss", 0.5, 2),
        ("train_loss", 1.0 / 3, 3),
    ]
    assert told[-1] == ("ended", "FINISHED")
    assert os.environ["MLFLOW_TRACKING_TOKEN"] == "the worker's"


def test_trackio_gets_its_space(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded()
    module: Any = ModuleType("trackio")
    module.init = lambda **given: recorded.begun.update(given) or recorded
    monkeypatch.setitem(sys.modules, "trackio", module)
    assert run(job(**TRACKIO)).warnings == []
    assert (recorded.begun["project"], recorded.begun["name"], recorded.begun["space_id"]) == ("t", "mine", "me/space")
    assert len(recorded.logged) == 3
    assert recorded.ended == [None]


@pytest.mark.parametrize(("name", "settings"), [("wandb", WANDB), ("mlflow", MLFLOW), ("trackio", TRACKIO)])
def test_a_library_that_is_not_installed_is_named_and_missed_by_nobody(
    name: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    (warning,) = run(job(**settings)).warnings
    assert f"{name} is not installed where it trains; `pip install {name}` there" in warning


def test_a_tracker_that_fails_is_told_once_and_without_its_key(wandb: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(values: dict[str, float], step: int) -> None:
        raise RuntimeError("401 for s3cret\nmore")

    monkeypatch.setattr(wandb, "log", fail)
    assert run(job(**WANDB), {"WANDB_API_KEY": "s3cret"}, 50).warnings == ["Weights & Biases gets no more of this job: 401 for …"]


def test_a_tracker_that_hangs_holds_nobody_up(wandb: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    monkeypatch.setattr(trackers, "WAITING_STEPS", 5)
    monkeypatch.setattr(trackers, "FAREWELL_S", 0.2)
    monkeypatch.setattr(wandb, "log", lambda values, step: held.wait(10))
    began = time.monotonic()
    (warning,) = run(job(**WANDB), {}, 500).warnings
    assert time.monotonic() - began < 2
    assert "did not take the last figures within 0.2 s; the job's own are complete" in warning
    held.set()


def test_only_a_tracker_s_own_keys_are_taken(wandb: Recorded) -> None:
    (refused,) = run(job(wandb={"project": "p", "credential_id": "HF_TOKEN"}), {"HF_TOKEN": "s3cret"}).warnings
    assert "integrations.wandb is left out: 'HF_TOKEN' names no key for it" in refused
    (unset,) = run(job(wandb={"project": "p", "credential_id": "WANDB_TEAM_API_KEY"})).warnings
    assert "the worker has nothing in WANDB_TEAM_API_KEY" in unset
    assert wandb.begun == {}


def test_without_trackers_a_sink_is_itself() -> None:
    heard: Any = Heard()
    with tracked(job(), heard, {}) as sink:
        assert sink is heard
