"""Everything about one configuration on one backend."""

from dataclasses import replace

from tunesmith.preflight.v1 import finding_pb2, report_pb2
from tunesmith.preflight.v1.preflight_service_pb2 import ESTIMATION_TRACED, CheckConfigurationRequest

from services.preflight.checks import run_checks
from services.preflight.facts import Facts, gather
from services.preflight.predict import predicted
from services.preflight.prediction import Place
from services.preflight.sources import Sources
from services.preflight.traced import traced


async def check_configuration(sources: Sources, request: CheckConfigurationRequest) -> report_pb2.Report:
    """The report on a configuration. What is wrong with it is in the report; raises Unavailable if nobody could look."""
    facts = await gather(sources, request.provider, request.configuration, request.recipe, request.adapters)
    if request.HasField("ran_out_of_memory_bytes"):
        facts = replace(facts, ran_out_of_memory_bytes=request.ran_out_of_memory_bytes)
    facts = predicted(facts)
    if request.estimation == ESTIMATION_TRACED:
        facts = await traced(sources, facts)
    return report_on(facts)


def report_on(facts: Facts) -> report_pb2.Report:
    """The report on what is known and what is expected."""
    findings, expected = run_checks(facts), facts.prediction
    report = report_pb2.Report(
        ok=not any(finding.severity == finding_pb2.SEVERITY_ERROR for finding in findings),
        findings=findings,
        memory=expected.memory,
        throughput=expected.throughput,
        duration_seconds=expected.duration_seconds,
        queue_seconds=expected.queue_seconds,
        cost=expected.cost,
        placement=_placement(expected.place),
        lowering=facts.lowering,
        download_bytes=expected.download_bytes,
        download_seconds=expected.download_seconds,
    )
    if not facts.broken_rules:
        report.resolved_configuration.CopyFrom(facts.configuration)
    return report


def _placement(place: Place | None) -> report_pb2.Placement | None:
    if place is None:
        return None
    pool_id = place.pool.id if place.pool is not None else ""
    return report_pb2.Placement(pool_id=pool_id, device=place.device, device_count=place.device_count, detail=place.detail)
