"""What `make bench` measures: each suite with its arms, its figures and the bars they have to clear."""

from bench.suite import Suite
from bench.suites import console, control_plane, first_step, overhead, stack

SUITES: dict[str, Suite] = {
    suite.name: suite for suite in (stack.SUITE, control_plane.SUITE, console.SUITE, first_step.SUITE, overhead.SUITE)
}
