"""What is shown of a preflight report: what is wrong, where memory goes, and what the run takes."""

from collections.abc import Iterable

from rich.table import Table
from tunesmith.cli import wording
from tunesmith.cli.job_file import JobFile
from tunesmith.cli.output import Output, facts, table
from tunesmith.job.v1.job_service_pb2 import CreateJobRequest
from tunesmith.preflight.v1 import estimate_pb2, finding_pb2, report_pb2

STYLES = {
    finding_pb2.SEVERITY_ERROR: "red",
    finding_pb2.SEVERITY_WARNING: "yellow",
    finding_pb2.SEVERITY_NOTE: None,
}
BAR_WIDTH = 40
# Field paths of findings are the configuration's; a job's file is read as a request.
_CONFIGURATION = CreateJobRequest.DESCRIPTOR.fields_by_name["configuration"].name


def show(output: Output, report: report_pb2.Report, job_file: JobFile) -> None:
    """Print all of it."""
    if report.findings:
        output.table(findings(report.findings, job_file))
    if report.HasField("memory"):
        output.line("")
        output.table(memory(report.memory))
    expected = expectations(report)
    if expected.row_count:
        output.line("")
        output.table(expected)
    output.line("")
    output.line("ready" if report.ok else "the job would be refused")


def findings(found: Iterable[finding_pb2.Finding], job_file: JobFile) -> Table:
    """A line a finding, coloured, with its place in the file and what fixes it."""
    listed = list(found)
    rows = [
        (
            wording.choice(finding_pb2.Severity, one.severity, "SEVERITY_"),
            one.code,
            _place(one, job_file),
            f"{one.message}{f' [fix: {one.fix.label}]' if one.HasField('fix') else ''}",
        )
        for one in listed
    ]
    drawn = table("", "CODE", "WHERE", "FOUND", rows=rows, whole=3)
    for row, one in zip(drawn.rows, listed, strict=True):
        row.style = STYLES.get(one.severity)
    return drawn


def memory(estimate: estimate_pb2.MemoryEstimate) -> Table:
    """Where memory goes at the peak, as bars."""
    whole = max(1, estimate.peak_bytes)
    rows = [
        (part.name, wording.size(part.bytes), "█" * round(BAR_WIDTH * part.bytes / whole))
        for part in estimate.components
        if part.bytes
    ]
    return table("MEMORY", "AT THE PEAK", "", rows=[*rows, ("together", wording.size(estimate.peak_bytes), "")], whole=2)


def expectations(report: report_pb2.Report) -> Table:
    """What it would run on, and what it takes."""
    return facts([*_of_memory(report.memory), *_of_the_place(report), *_of_time(report)])


def _place(finding: finding_pb2.Finding, job_file: JobFile) -> str:
    if not finding.field_path:
        return ""
    place, _ = job_file.place(f"{_CONFIGURATION}.{finding.field_path}")
    return f"{place} {finding.field_path}"


def _of_memory(estimate: estimate_pb2.MemoryEstimate) -> list[tuple[str, str]]:
    if not estimate.peak_bytes:
        return []
    span = f"{wording.size(estimate.low_bytes)} to {wording.size(estimate.high_bytes)}"
    basis = wording.choice(estimate_pb2.Basis, estimate.basis, "BASIS_")
    confidence = wording.choice(estimate_pb2.Confidence, estimate.confidence, "CONFIDENCE_")
    there = f", of {wording.size(estimate.device_bytes)}" if estimate.device_bytes else ""
    trained = f"{estimate.trainable_parameter_count:,} of {estimate.parameter_count:,}"
    return [
        ("peak memory", f"{wording.size(estimate.peak_bytes)} ({span}){there}; {basis}, confidence {confidence}"),
        ("trained", f"{trained} parameters" if estimate.parameter_count else ""),
        *(("remark", remark) for remark in estimate.remarks),
    ]


def _of_the_place(report: report_pb2.Report) -> list[tuple[str, str]]:
    place = report.placement
    if not report.HasField("placement"):
        return []
    return [("device", f"{place.device_count} × {place.device.name or 'unnamed'}: {place.detail}")]


def _of_time(report: report_pb2.Report) -> list[tuple[str, str]]:
    speed = report.throughput
    step = f"{speed.step_seconds:.3g} s ({speed.low_step_seconds:.3g} to {speed.high_step_seconds:.3g} s)"
    source = wording.choice(estimate_pb2.SpeedSource, speed.speed_source, "SPEED_SOURCE_")
    return [
        ("download", _download(report)),
        ("steps", f"{speed.total_steps:,} of {step}, by {source}" if report.HasField("throughput") else ""),
        ("speed", f"{speed.tokens_per_second:,.0f} tokens/s" if report.HasField("throughput") else ""),
        ("queue", wording.duration(report.queue_seconds) if report.HasField("queue_seconds") else ""),
        ("time", wording.duration(report.duration_seconds) if report.HasField("duration_seconds") else ""),
        ("cost", f"{report.cost.amount:.2f} {report.cost.currency}: {report.cost.detail}" if report.HasField("cost") else ""),
    ]


def _download(report: report_pb2.Report) -> str:
    if not report.download_bytes:
        return ""
    seconds = f", about {wording.duration(report.download_seconds)}" if report.HasField("download_seconds") else ""
    return f"{wording.size(report.download_bytes)}{seconds}"
