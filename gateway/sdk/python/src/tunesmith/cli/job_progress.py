"""Shows a job that is being watched: its events as lines, and a bar below them where there is a terminal."""

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from tunesmith.cli import wording
from tunesmith.cli.output import Output
from tunesmith.job.v1 import job_event_pb2, job_pb2, job_service_pb2, job_state_pb2

# Without a terminal the bar becomes a line now and then: one a tenth of the job.
NOTES_A_JOB = 10


class JobProgress:
    """Prints what a watch brings."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._latest: dict[str, tuple[int, float]] = {}
        self._noted = 0
        columns = [TextColumn("{task.description}", markup=False), BarColumn(bar_width=30), TaskProgressColumn()]
        columns.append(TextColumn("{task.fields[figures]}", markup=False))
        # Events go through the bar's console, and data to a pipe must not.
        self._bar = Progress(
            *columns, console=output.notes, transient=True, redirect_stdout=False, disable=not output.notes.is_terminal
        )
        self._task = self._bar.add_task("", total=1.0, figures="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def update(self, response: job_service_pb2.WatchJobResponse) -> None:
        """Show what a message of the stream brings."""
        for event in response.events:
            self._event(event)
        for series in response.metrics:
            for point in series.points:
                # A resumed attempt repeats steps; its later point is the one that counts.
                self._latest[series.key] = (point.step, point.value)
        text = self.figures(response.job)
        self._bar.update(self._task, completed=response.job.progress, description=_state(response.job), figures=text)
        if self._bar.disable:
            self._note(response.job, text)

    def figures(self, job: job_pb2.Job) -> str:
        """`step 40/160  epoch 1.50  loss 2.134  rate 0.0001  6,600 tokens/s  1 min 05 s left`."""
        parts = []
        # An export counts what is written, and has no epochs.
        if job.HasField("step") and not job.HasField("export"):
            parts.append(f"step {job.step:,}" + (f"/{job.total_steps:,}" if job.HasField("total_steps") else ""))
        if job.HasField("epoch") and not job.HasField("export"):
            parts.append(f"epoch {job.epoch:.2f}")
        for key, label in (("train_loss", "loss"), ("eval_loss", "eval loss"), ("learning_rate", "rate")):
            if key in self._latest:
                parts.append(f"{label} {wording.number(self._latest[key][1])}")
        if "tokens_per_second" in self._latest:
            parts.append(f"{self._latest['tokens_per_second'][1]:,.0f} tokens/s")
        if job.HasField("estimated_remaining_seconds"):
            parts.append(f"{wording.duration(job.estimated_remaining_seconds)} left")
        return "  ".join(parts)

    def _event(self, event: job_event_pb2.JobEvent) -> None:
        line = f"{wording.clock(event.create_time)}  {event_kind(event):<16}  {wording.plain(event.message)}"
        if self._output.data.is_terminal and not self._bar.disable:
            # The same terminal: a line that bypassed the bar would tear it.
            self._bar.console.print(line, soft_wrap=True)
        else:
            self._output.line(line)

    def _note(self, job: job_pb2.Job, text: str) -> None:
        tenth = int(job.progress * NOTES_A_JOB)
        if job.state == job_state_pb2.JOB_STATE_RUNNING and tenth > self._noted and text:
            self._noted = tenth
            self._output.note(f"{wording.share(job.progress)}  {text}")


def event_kind(event: job_event_pb2.JobEvent) -> str:
    """An event's type for people: `worker lost`."""
    return wording.choice(job_event_pb2.JobEventType, event.type, "JOB_EVENT_TYPE_")


def _state(job: job_pb2.Job) -> str:
    return wording.choice(job_state_pb2.JobState, job.state, "JOB_STATE_")
