"""What is shown of a job."""

from collections.abc import Iterable

from rich.table import Table
from tunesmith.cli import wording
from tunesmith.cli.output import facts, table
from tunesmith.config.v1 import export_configuration_pb2
from tunesmith.job.v1 import job_pb2, job_state_pb2
from tunesmith.provider.v1 import lowering_pb2


def state(job: job_pb2.Job) -> str:
    """`running`, `failed`."""
    return wording.choice(job_state_pb2.JobState, job.state, "JOB_STATE_")


def many(jobs: Iterable[job_pb2.Job]) -> Table:
    """A line a job."""
    rows = [
        (
            job.id,
            job.display_name,
            state(job),
            wording.share(job.progress),
            job.provider,
            wording.ago(job.create_time),
            _took(job),
        )
        for job in jobs
    ]
    return table("ID", "NAME", "STATE", "DONE", "PROVIDER", "CREATED", "TOOK", rows=rows)


def one(job: job_pb2.Job) -> Table:
    """Everything about a job but its configuration, which `-o yaml` has."""
    configuration = job.resolved_configuration
    return facts(
        [
            ("id", job.id),
            ("name", job.display_name),
            ("state", f"{state(job)}, about to pause" if job.pause_requested else state(job)),
            ("why", job.error.message),
            ("done", _done(job)),
            ("provider", job.provider),
            ("base model", configuration.model.base_model),
            ("training dataset", configuration.datasets.training_file_id),
            *_export(job),
            ("attempt", str(job.attempt) if job.attempt > 1 else ""),
            ("pool", job.pool_id),
            *_figures(job),
            *_dropped(job),
            ("created", wording.ago(job.create_time)),
            ("took", _took(job)),
            ("next", _next(job) if job.state == job_state_pb2.JOB_STATE_PAUSED else ""),
        ]
    )


def summary(job: job_pb2.Job) -> Table:
    """How a watched job ended, and what to do next."""
    return facts(
        [("state", state(job)), ("why", job.error.message), ("steps", _steps(job)), *_figures(job), ("next", _next(job))]
    )


def _export(job: job_pb2.Job) -> list[tuple[str, str]]:
    """What an export makes of what; nothing for other jobs."""
    if not job.HasField("resolved_export"):
        return []
    export = job.resolved_export
    form = wording.choice(export_configuration_pb2.ExportFormat, export.format, "EXPORT_FORMAT_")
    if export.HasField("gguf_type"):
        form += f", {export_configuration_pb2.GgufType.Name(export.gguf_type).removeprefix('GGUF_TYPE_')}"
    return [("exports", export.artifact_id), ("as", form), ("pushed to", export.huggingface.output_repo_name)]


def _figures(job: job_pb2.Job) -> list[tuple[str, str]]:
    """What was measured, beside what was predicted."""
    shown = {
        "duration_seconds": ("time", wording.duration),
        "peak_memory_bytes": ("peak memory", wording.size),
        "tokens_per_second": ("tokens/s", lambda value: f"{value:,.0f}"),
        "step_seconds": ("step", lambda value: f"{value:.3g} s"),
    }
    rows = []
    for field, (label, words) in shown.items():
        parts = [
            f"{kind} {words(getattr(figures, field))}"
            for kind, figures in (("measured", job.measured), ("predicted", job.predicted))
            if figures.HasField(field)
        ]
        rows.append((label, ", ".join(parts)))
    measured = job.measured
    if measured.HasField("first_evaluation_loss") and measured.HasField("last_evaluation_loss"):
        before, after = wording.number(measured.first_evaluation_loss), wording.number(measured.last_evaluation_loss)
        rows.append(("evaluation loss", f"{before} before, {after} after"))
    return rows


def _dropped(job: job_pb2.Job) -> list[tuple[str, str]]:
    lowered = [one for one in job.lowering if one.action == lowering_pb2.LOWERING_ACTION_DROPPED]
    return [("dropped" if index == 0 else " ", f"{one.field_path}: {one.detail}") for index, one in enumerate(lowered)]


def _done(job: job_pb2.Job) -> str:
    steps = _steps(job)
    left = f", {wording.duration(job.estimated_remaining_seconds)} left" if job.HasField("estimated_remaining_seconds") else ""
    return f"{wording.share(job.progress)}{f' (step {steps})' if steps else ''}{left}"


def _steps(job: job_pb2.Job) -> str:
    if not job.HasField("step") or job.HasField("export"):
        return ""
    return f"{job.step:,}" + (f"/{job.total_steps:,}" if job.HasField("total_steps") else "")


def _took(job: job_pb2.Job) -> str:
    if not job.start_time.seconds or not job.end_time.seconds:
        return ""
    return wording.duration((job.end_time.ToNanoseconds() - job.start_time.ToNanoseconds()) / 1e9)


def _next(job: job_pb2.Job) -> str:
    if job.state == job_state_pb2.JOB_STATE_PAUSED:
        return f"tunesmith jobs resume {job.id}"
    pushed_only = job.export.format == export_configuration_pb2.EXPORT_FORMAT_ADAPTER
    if job.state == job_state_pb2.JOB_STATE_SUCCEEDED and not pushed_only:
        return f"tunesmith jobs download {job.id}"
    return f"tunesmith jobs events {job.id}"
