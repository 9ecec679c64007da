"""Every backend for one configuration, the best first."""

from dataclasses import replace

from tunesmith.preflight.v1 import preflight_service_pb2 as messages
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR
from tunesmith.preflight.v1.report_pb2 import Report
from tunesmith.preflight.v1.suggestion_pb2 import RankedProvider
from tunesmith.provider.v1.lowering_pb2 import LOWERING_ACTION_DROPPED

from services.preflight import words
from services.preflight.facts import Facts, gather
from services.preflight.predict import predicted
from services.preflight.sources import Sources
from services.preflight.usecases.check import report_on
from workers.providers import PROVIDERS
from workers.providers.provider import Provider

_UNKNOWN = float("inf")


async def rank_providers(sources: Sources, request: messages.RankProvidersRequest) -> messages.RankProvidersResponse:
    """A row for every provider that is registered. What is named is looked up once for all of them."""
    facts = await gather(sources, "", request.configuration)
    rows = [_row(facts, provider) for provider in PROVIDERS.values()]
    rows.sort(key=_key)
    return messages.RankProvidersResponse(providers=rows)


def _row(facts: Facts, provider: Provider) -> RankedProvider:
    own = predicted(replace(facts, provider=provider, provider_id=provider.id).with_configuration(facts.submitted))
    report, fits = report_on(own), own.prediction.fits
    row = RankedProvider(
        provider=provider.id,
        display_name=provider.display_name,
        runnable=report.ok,
        dropped=[field for field in report.lowering if field.action == LOWERING_ACTION_DROPPED],
        findings=report.findings,
        reason=_reason(report, fits),
        cost=report.cost if report.HasField("cost") else None,
        memory=report.memory if report.HasField("memory") else None,
    )
    if fits is not None:
        row.fits = fits
    if report.HasField("throughput"):
        row.step_seconds = report.throughput.step_seconds
    if report.HasField("queue_seconds"):
        row.queue_seconds = report.queue_seconds
    if report.HasField("duration_seconds"):
        row.duration_seconds = report.duration_seconds
    return row


def _key(row: RankedProvider) -> tuple[bool, bool, float, float, int]:
    """Smaller is better: runs at all, fits, costs little, is soon done, drops little."""
    cost = row.cost.amount if row.HasField("cost") else 0.0
    seconds = row.queue_seconds + row.duration_seconds if row.HasField("duration_seconds") else _UNKNOWN
    return not row.runnable, row.HasField("fits") and not row.fits, cost, seconds, len(row.dropped)


def _reason(report: Report, fits: bool | None) -> str:
    wrong = [finding.message for finding in report.findings if finding.severity == SEVERITY_ERROR]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return f"would be refused: {wrong[0]}{more}"
    parts = ["would be accepted" if fits is not False else "would be accepted, and may run out of memory"]
    if report.HasField("duration_seconds"):
        parts.append(f"trains for about {words.duration(report.duration_seconds)}")
    if report.HasField("cost"):
        parts.append(f"costs about {report.cost.amount:.2f} {report.cost.currency}")
    dropped = sum(field.action == LOWERING_ACTION_DROPPED for field in report.lowering)
    if dropped:
        parts.append(f"{dropped} {'field does' if dropped == 1 else 'fields do'} not act")
    return "; ".join(parts)
