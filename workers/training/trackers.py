"""What a job's figures go to besides Tunesmith: Weights & Biases, MLflow, trackio.

A thread of its own speaks to them, from a queue that has an end: whatever a tracker does, training neither waits nor stops. None
of their libraries comes with Tunesmith; one that is not installed where the job trains is named, and the job goes on without it.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, Full, Queue
from typing import Any, Protocol, cast

import structlog
from google.protobuf.json_format import MessageToDict
from tunesmith.config.v1 import integrations_pb2
from tunesmith.worker.v1 import worker_service_pb2

from workers.providers.credentials import MLFLOW, WANDB, Secret
from workers.training.sink import Sink, Stopped

# Steps that may wait for a tracker; those that find no place are left out.
WAITING_STEPS = 10_000
# What a tracker may take to say goodbye, of a job that is over.
FAREWELL_S = 20.0
# Of MLflow's, in one request.
_MOST_METRICS, _MOST_PARAMETERS, _LONGEST_PARAMETER = 1000, 100, 500

log = structlog.get_logger()


@dataclass(frozen=True)
class Point:
    """A step's figures, and when they were taken, in seconds since 1970."""

    step: int
    values: Mapping[str, float]
    time_s: float


@dataclass(frozen=True)
class Run:
    """What a tracker is told of a job: no key, and no path of this machine."""

    name: str
    job_id: str
    configuration: Mapping[str, Any]

    @property
    def link(self) -> str:
        """The job's page, below the console's address."""
        return f"/jobs/{self.job_id}"

    def described(self) -> dict[str, Any]:
        """The configuration by path, with the job it belongs to."""
        return {"tunesmith.job": self.job_id, "tunesmith.link": self.link, **dict(_flat(self.configuration))}


class Tracker(Protocol):
    """One tracker. Called by one thread only; whatever it raises ends it, and nothing else."""

    def begin(self, run: Run) -> None:
        """A run starts. Imports the library."""

    def log(self, points: list[Point]) -> None:
        """Figures that came since."""

    def end(self, succeeded: bool) -> None:
        """The run is over."""


class WandbTracker:
    """Weights & Biases. WANDB_MODE=offline keeps a run on the worker's disk."""

    def __init__(self, settings: integrations_pb2.WandbIntegration, key: str | None) -> None:
        self._settings, self._key = settings, key
        self._run: Any = None

    def begin(self, run: Run) -> None:
        """Start a run."""
        import wandb

        given = {"api_key": self._key, "base_url": self._settings.base_url or None, "silent": True, "console": "off"}
        settings = wandb.Settings(**{name: value for name, value in given.items() if value is not None})
        name = self._settings.run_name or run.name
        self._run = wandb.init(project=self._settings.project, name=name, config=run.described(), settings=settings)

    def log(self, points: list[Point]) -> None:
        """One entry a step."""
        for point in points:
            self._run.log(dict(point.values), step=point.step)

    def end(self, succeeded: bool) -> None:
        """Finish the run."""
        self._run.finish(exit_code=0 if succeeded else 1)


class MlflowTracker:
    """An MLflow server. Its client reads its token from the environment, which holds it while the job runs."""

    def __init__(self, settings: integrations_pb2.MlflowIntegration, key: str | None) -> None:
        self._settings, self._key = settings, key
        self._client: Any = None
        self._run_id = ""
        self._before: str | None = None

    def begin(self, run: Run) -> None:
        """Start a run in the experiment, which is made if it is new."""
        import mlflow
        from mlflow.entities import Param

        self._before = os.environ.get(MLFLOW.variable)
        if self._key is not None:
            os.environ[MLFLOW.variable] = self._key
        self._client = mlflow.MlflowClient(tracking_uri=self._settings.tracking_uri or None)
        experiment = self._client.get_experiment_by_name(self._settings.experiment)
        experiment_id = experiment.experiment_id if experiment else self._client.create_experiment(self._settings.experiment)
        name = self._settings.run_name or run.name
        self._run_id = self._client.create_run(experiment_id, run_name=name, tags={"tunesmith.link": run.link}).info.run_id
        parameters = [Param(key, str(value)[:_LONGEST_PARAMETER]) for key, value in run.described().items()]
        for start in range(0, len(parameters), _MOST_PARAMETERS):
            self._client.log_batch(self._run_id, params=parameters[start : start + _MOST_PARAMETERS])

    def log(self, points: list[Point]) -> None:
        """All of them in as few requests as there can be."""
        from mlflow.entities import Metric

        metrics = [
            Metric(key, value, int(point.time_s * 1000), point.step) for point in points for key, value in point.values.items()
        ]
        for start in range(0, len(metrics), _MOST_METRICS):
            self._client.log_batch(self._run_id, metrics=metrics[start : start + _MOST_METRICS])

    def end(self, succeeded: bool) -> None:
        """Say how it ended, and take the token out of the environment."""
        try:
            self._client.set_terminated(self._run_id, "FINISHED" if succeeded else "FAILED")
        finally:
            if self._key is not None:
                os.environ.pop(MLFLOW.variable, None)
                os.environ.update({MLFLOW.variable: self._before} if self._before is not None else {})


class TrackioTracker:
    """trackio, on the worker's disk or in a Space."""

    def __init__(self, settings: integrations_pb2.TrackioIntegration) -> None:
        self._settings = settings
        self._run: Any = None

    def begin(self, run: Run) -> None:
        """Start a run."""
        import trackio

        given = {"space_id": self._settings.space_id} if self._settings.space_id else {}
        name = self._settings.run_name or run.name
        self._run = trackio.init(project=self._settings.project, name=name, config=run.described(), embed=False, **given)

    def log(self, points: list[Point]) -> None:
        """One entry a step."""
        for point in points:
            self._run.log(dict(point.values), step=point.step)

    def end(self, succeeded: bool) -> None:
        """Finish the run."""
        self._run.finish()


@dataclass
class _Kept:
    """A tracker that is spoken to, or was until it failed."""

    name: str
    make: Callable[[], Tracker]
    tracker: Tracker | None = None
    secrets: list[str] = field(default_factory=list)


class Tracking:
    """Passes a job's figures on, in a thread of its own."""

    def __init__(self, trackers: list[_Kept], run: Run, sink: Sink) -> None:
        self._trackers = trackers
        self._run = run
        self._sink = sink
        # None is the end.
        self._points: Queue[Point | None] = Queue(WAITING_STEPS)
        self._left_out = 0
        self._succeeded = False
        self._thread = threading.Thread(target=self._speak, name="trackers", daemon=True)

    def start(self) -> None:
        """Begin, without waiting for anybody."""
        self._thread.start()

    def say(self, step: int, values: Mapping[str, float]) -> None:
        """A step's figures; left out where a tracker is too slow for them."""
        try:
            self._points.put_nowait(Point(step, dict(values), time.time()))
        except Full:
            self._left_out += 1

    def close(self, succeeded: bool) -> None:
        """Say what waits, and how it ended; gives up on a tracker that takes too long."""
        self._succeeded = succeeded
        until = time.monotonic() + FAREWELL_S
        try:
            self._points.put(None, timeout=FAREWELL_S)
        except Full:
            self._left_out += self._points.qsize()
        self._thread.join(max(0.0, until - time.monotonic()))
        names = " and ".join(each.name for each in self._trackers)
        if self._thread.is_alive():
            self._sink.warning(f"{names} did not take the last figures within {FAREWELL_S:g} s; the job's own are complete")
        elif self._left_out:
            self._sink.warning(f"{names} was too slow for {self._left_out} steps, which are left out there")

    def _speak(self) -> None:
        for each in self._trackers:
            self._try(each, partial(self._begin, each))
        ended = False
        while not ended:
            points, ended = self._waiting()
            for each in self._trackers:
                if points and each.tracker is not None:
                    self._try(each, partial(each.tracker.log, points))
        for each in self._trackers:
            if each.tracker is not None:
                self._try(each, partial(each.tracker.end, self._succeeded))

    def _begin(self, each: _Kept) -> None:
        tracker = each.make()
        tracker.begin(self._run)
        each.tracker = tracker

    def _waiting(self) -> tuple[list[Point], bool]:
        """All that waits, once something does; and whether that is the end."""
        points = []
        point = self._points.get()
        while point is not None:
            points.append(point)
            try:
                point = self._points.get_nowait()
            except Empty:
                return points, False
        return points, True

    def _try(self, each: _Kept, act: Callable[[], None]) -> None:
        try:
            act()
        except ImportError as error:
            each.tracker = None
            package = error.name or each.name
            text = f"{each.name} gets none of this job: {package} is not installed where it trains; `pip install {package}` there"
            self._sink.warning(text)
        except Exception as error:
            each.tracker = None
            log.warning("tracker_failed", tracker=each.name, kind=type(error).__name__)
            said = str(error).strip().split("\n")[0][:300]
            for secret in each.secrets:
                said = said.replace(secret, "…")
            self._sink.warning(f"{each.name} gets no more of this job: {said or type(error).__name__}")


@contextmanager
def tracked(assignment: worker_service_pb2.Assignment, sink: Sink, environment: Mapping[str, str] = os.environ) -> Iterator[Sink]:
    """The sink, with its figures passed on to the trackers that the job names while this is open."""
    trackers = _trackers(assignment.configuration.integrations, sink, environment)
    if not trackers:
        yield sink
        return
    configuration = MessageToDict(assignment.configuration, preserving_proto_field_name=True)
    job_id = assignment.lease.job_id
    tracking = Tracking(trackers, Run(assignment.display_name or job_id, job_id, configuration), sink)
    tracking.start()
    succeeded = False
    try:
        yield cast(Sink, _Tracked(sink, tracking))
        succeeded = True
    except Stopped:
        # The next attempt goes on in a run of its own.
        succeeded = True
        raise
    finally:
        tracking.close(succeeded)


class _Tracked:
    """A sink whose figures go two ways. All else is the sink's own."""

    def __init__(self, sink: Sink, tracking: Tracking) -> None:
        self._sink, self._tracking = sink, tracking

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """One point of each series named."""
        self._sink.metrics(step, values)
        self._tracking.say(step, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)


def _trackers(integrations: integrations_pb2.Integrations, sink: Sink, environment: Mapping[str, str]) -> list[_Kept]:
    found = []
    if integrations.HasField("wandb"):
        wandb = integrations.wandb
        key, usable = _key("wandb", WANDB, wandb.credential_id, sink, environment)
        found += [_Kept("Weights & Biases", lambda: WandbTracker(wandb, key), secrets=[key] if key else [])] if usable else []
    if integrations.HasField("mlflow"):
        mlflow = integrations.mlflow
        token, usable = _key("mlflow", MLFLOW, mlflow.credential_id, sink, environment)
        found += [_Kept("MLflow", lambda: MlflowTracker(mlflow, token), secrets=[token] if token else [])] if usable else []
    if integrations.HasField("trackio"):
        trackio = integrations.trackio
        found.append(_Kept("trackio", lambda: TrackioTracker(trackio)))
    return found


def _key(name: str, secret: Secret, credential_id: str, sink: Sink, environment: Mapping[str, str]) -> tuple[str | None, bool]:
    """The tracker's key, and whether the tracker can be used with it."""
    try:
        key = secret.value(credential_id, environment)
    except ValueError as error:
        sink.warning(f"integrations.{name} is left out: {error}")
        return None, False
    if credential_id and key is None:
        sink.warning(f"integrations.{name} is left out: the worker has nothing in {credential_id}; set it where the agent starts")
        return None, False
    return key, True


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
