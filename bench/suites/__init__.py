"""What `make bench` measures: each suite with its arms, its figures and the bars they have to clear."""

from bench.suite import Suite
from bench.suites import console, control_plane, first_step, ingest, overhead, preflight, stack, step_time, training

SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        stack.SUITE,
        ingest.SUITE,
        control_plane.SUITE,
        preflight.SUITE,
        console.SUITE,
        first_step.SUITE,
        overhead.SUITE,
        step_time.SUITE,
        training.SUITE,
    )
}
