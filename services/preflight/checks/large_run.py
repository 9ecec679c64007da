"""A dataset that takes days: what each step and all of them take, and what trains it faster."""

from collections.abc import Iterator

from tunesmith.config.v1 import hardware_pb2
from tunesmith.preflight.v1.finding_pb2 import Finding, Fix

from services.preflight import methods, words
from services.preflight.facts import Facts
from services.preflight.findings import fix, note, put

LONG_SECONDS = 2 * 86400.0
PATH = "datasets.training_file_id"


def check(facts: Facts) -> Iterator[Finding]:
    """LARGE_RUN."""
    throughput, seconds = facts.prediction.throughput, facts.prediction.duration_seconds
    if throughput is None or seconds is None or seconds < LONG_SECONDS:
        return
    text = (
        f"{throughput.total_steps:,} steps of {throughput.step_seconds:.3g} s take about {words.duration(seconds)}; QLORA "
        "on several GPUs with FSDP trains it in less memory and time, and fewer epochs or max_steps shorten it"
    )
    yield note("LARGE_RUN", PATH, text, _faster(facts))


def _faster(facts: Facts) -> Fix | None:
    fsdp = hardware_pb2.DISTRIBUTION_STRATEGY_FSDP
    acting = methods.acts(facts.provider, "method.type", methods.QLORA) and any(
        field.field_path == "hardware.strategy" for field in facts.lowering
    )
    several = facts.prediction.place is not None and facts.prediction.place.device_count > 1
    if not acting or not several or facts.configuration.method.type == methods.QLORA:
        return None
    strategy = put("hardware.strategy", hardware_pb2.DistributionStrategy.Name(fsdp))
    return fix("Train with QLORA and FSDP", *methods.edits(facts.configuration, methods.QLORA), strategy)
