"""What has to hold of a history, whatever died: pure functions over the operation log and what the public API says in the end.

Each answers sentences, one for each violation; none means that it holds.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tunesmith.job.v1.job_state_pb2 import JobState

from services.job.domain import TERMINAL, TRANSITIONS, name_of
from tests.chaos.history import SUCCEEDED, JobRecord
from tests.chaos.log import Entry

STARTED = "JOB_EVENT_TYPE_STARTED"
TERMINAL_NAMES = frozenset(name_of(state) for state in TERMINAL)
# Series that are the same whenever the same is computed; the others measure time and memory.
COMPUTED_SERIES = ("train_loss", "eval_loss", "learning_rate", "gradient_norm", "epoch")
_WEIGHTS = ".safetensors"


@dataclass(frozen=True)
class History:
    """All that is known when all is over. `references` are uninterrupted jobs, by variant."""

    log: Sequence[Entry]
    jobs: Sequence[JobRecord]
    references: Mapping[str, JobRecord]


def violations(history: History) -> list[str]:
    """Everything that is wrong."""
    checks = (
        ("I1", acknowledged_jobs),
        ("I2", attempts),
        ("I3", states),
        ("I4", watchers),
        ("I5", artifacts),
        ("ends", endings),
        ("curves", curves),
        ("results", results),
        ("refusals", refusals),
    )
    return [f"{name}: {text}" for name, check in checks for text in check(history)]


def acknowledged_jobs(history: History) -> Iterator[str]:
    """I1: every acknowledged job is there, and no request_id made two."""
    stored = {job.id: job for job in history.jobs}
    answered: defaultdict[str, set[str]] = defaultdict(set)
    for entry in _seen(history, "create", "ok"):
        answered[entry.facts["request"]].add(entry.facts["job"])
    for request, ids in answered.items():
        if len(ids) > 1:
            yield f"{request} was answered with {len(ids)} jobs: {sorted(ids)}"
        for job_id in ids:
            if job_id not in stored:
                yield f"job {job_id} was acknowledged to {request} and is gone"
            elif stored[job_id].display_name != request:
                yield f"job {job_id} was acknowledged to {request} and is {stored[job_id].display_name}'s"
    for name, count in Counter(job.display_name for job in history.jobs).items():
        if count > 1:
            yield f"{name} made {count} jobs"
        if name not in answered:
            yield f"{name} made a job and was never answered"


def attempts(history: History) -> Iterator[str]:
    """I2: each attempt starts once, after the one before it, by the service's events as by the actors' own logs."""
    intervals = _attempt_intervals(history.log)
    for job in history.jobs:
        started = [event.attempt for event in job.events if event.type == STARTED]
        if started != list(range(1, len(started) + 1)):
            yield f"job {job.id} started attempts {started}"
        ran = sorted((each for each in intervals if each.job == job.id), key=lambda each: each.began)
        for number, times in Counter(each.attempt for each in ran).items():
            if times > 1:
                yield f"actors ran attempt {number} of job {job.id} {times} times"
            if number not in started:
                yield f"an actor ran attempt {number} of job {job.id}, which was never started"
        for before, after in pairwise(ran):
            if after.began < before.ended:
                seconds = before.ended - after.began
                yield f"attempts {before.attempt} and {after.attempt} of job {job.id} ran at once for {seconds:.2f} s"
        if job.state == SUCCEEDED and job.events[-1].attempt not in {each.attempt for each in ran}:
            yield f"no actor's log tells of attempt {job.events[-1].attempt} of job {job.id}, which succeeded"
        yield from _accepted(job, ran)


def states(history: History) -> Iterator[str]:
    """I3: the history of states is legal, and terminal states stay, in the events as in what watchers were told."""
    for job in history.jobs:
        named = [JobState.Value(event.state) for event in job.events]
        for before, after in pairwise(named):
            if before in TERMINAL:
                yield f"job {job.id} went on after {name_of(before)}"
            elif before != after and after not in TRANSITIONS[before]:
                yield f"job {job.id} went from {name_of(before)} to {name_of(after)}"
        if named and name_of(named[0]) != "JOB_STATE_QUEUED":
            yield f"job {job.id} began as {name_of(named[0])}"
        if named and name_of(named[-1]) != job.state:
            yield f"job {job.id} is {job.state}, and its last event says {name_of(named[-1])}"
    final = {job.id: job.state for job in history.jobs}
    for entry in _seen(history, "watch", "seen"):
        told, job_id = entry.facts["state"], entry.facts["job"]
        if told in TERMINAL_NAMES and final.get(job_id) != told:
            yield f"{entry.who} was told that job {job_id} is {told}, and now it is {final.get(job_id)}"


def watchers(history: History) -> Iterator[str]:
    """I4: every watcher saw each event once and in order, and those are the events that are listed."""
    listed = {job.id: [event.sequence for event in job.events] for job in history.jobs}
    for job_id, sequences in listed.items():
        if not sequences or sequences != list(range(1, len(sequences) + 1)):
            yield f"job {job_id} lists events {_shown(sequences)}"
    seen: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for entry in _seen(history, "watch", "seen"):
        seen[entry.who, entry.facts["job"]] += entry.facts["sequences"]
    for (who, job_id), sequences in seen.items():
        if sequences != listed.get(job_id):
            yield f"{who} saw events {_shown(sequences)} of job {job_id}, which lists {_shown(listed.get(job_id, []))}"
    unseen = listed.keys() - {job_id for _, job_id in seen}
    if unseen:
        yield f"nobody watched {sorted(unseen)}"


def artifacts(history: History) -> Iterator[str]:
    """I5: what is listed downloads with its size and SHA-256, and a set never shows some of its files."""
    came: set[str] = set()
    shown: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for entry in history.log:
        facts = entry.facts
        if entry.what == "download" and entry.phase == "fail":
            yield f"{_artifact(facts)} is listed and can't be had: {facts['error']}"
        elif entry.what == "download":
            came.add(facts["artifact"])
            if list(facts["announced"]) != list(facts["came"]):
                yield f"{_artifact(facts)} is announced as {facts['announced']} and came as {facts['came']}"
        elif entry.what == "set":
            shown[facts["set"]].add(tuple(facts["paths"]))
    for set_id, lists in shown.items():
        if len(lists) > 1:
            yield f"set {set_id} showed different files: {sorted(lists)}"
    for job in history.jobs:
        for artifact in job.artifacts:
            if artifact.id not in came:
                yield f"artifact {artifact.id} ({artifact.path}) of job {job.id} was never downloaded"


def endings(history: History) -> Iterator[str]:
    """Every job succeeds in the end: nothing that was done to it was its own fault."""
    for job in history.jobs:
        if job.state != SUCCEEDED:
            last = job.events[-1].message if job.events else "it has no events"
            yield f"job {job.id} ({job.display_name}) is {job.state}: {last}"


def curves(history: History) -> Iterator[str]:
    """An interrupted run computes what an uninterrupted one does, to the last bit and at every step."""
    for job in _with_reference(history):
        reference = history.references[job.variant].series
        for key in COMPUTED_SERIES:
            expected, found = reference.get(key, {}), job.series.get(key, {})
            differing = sorted(step for step in expected.keys() | found.keys() if expected.get(step) != found.get(step))
            if differing:
                step = differing[0]
                text = f"{found.get(step)} instead of {expected.get(step)}"
                yield f"{key} of job {job.id} ({job.variant}) differs at {len(differing)} steps, first at {step}: {text}"


def results(history: History) -> Iterator[str]:
    """An interrupted run leaves the files that an uninterrupted one does, and the same weights in them."""
    for job in _with_reference(history):
        expected = {one.path: one.sha256 for one in history.references[job.variant].artifacts}
        found = {one.path: one.sha256 for one in job.artifacts}
        if expected.keys() != found.keys():
            yield f"job {job.id} ({job.variant}) lists {sorted(found)} instead of {sorted(expected)}"
        for path in expected.keys() & found.keys():
            if path.endswith(_WEIGHTS) and expected[path] != found[path]:
                yield f"{path} of job {job.id} ({job.variant}) holds other weights than an uninterrupted run's"


def refusals(history: History) -> Iterator[str]:
    """Nobody was told no who asked for what he may: dying is no reason to refuse."""
    for entry in history.log:
        over = entry.what in ("PauseJobRequest", "ResumeJobRequest") and "FAILED_PRECONDITION" in str(entry.facts.get("error"))
        if entry.phase == "fail" and entry.what not in ("fault", "download") and not over:
            yield f"{entry.who} was refused {entry.what}: {entry.facts.get('error')}"


@dataclass(frozen=True)
class Interval:
    """How long an actor worked on an attempt, in seconds since 1970."""

    job: str
    attempt: int
    began: float
    ended: float
    outcome: str | None


def _attempt_intervals(log: Sequence[Entry]) -> list[Interval]:
    """Attempts by the actors' own logs: from their first word to their last, or to the end of their process."""
    running: dict[int, tuple[str, int, float]] = {}
    found = []
    for entry in log:
        pid, facts = entry.facts.get("pid"), entry.facts
        if entry.what == "attempt_started":
            running[facts["pid"]] = (facts["job"], facts["attempt"], facts["time"])
        elif entry.what in ("attempt_ended", "attempt_abandoned", "process_ended") and pid in running:
            found.append(Interval(*running.pop(pid), facts["time"], facts.get("outcome")))
    return found + [Interval(*each, float("inf"), None) for each in running.values()]


def _accepted(job: JobRecord, ran: Sequence[Interval]) -> Iterator[str]:
    """An attempt whose success was accepted is the one that the job's last event tells of."""
    succeeded = [each.attempt for each in ran if each.outcome == "succeeded"]
    if job.state == SUCCEEDED and any(attempt != job.events[-1].attempt for attempt in succeeded):
        yield f"job {job.id} succeeded with attempt {job.events[-1].attempt}, and actors were told so of attempts {succeeded}"
    if len(succeeded) > 1:
        yield f"attempts {succeeded} of job {job.id} all succeeded"


def _with_reference(history: History) -> Iterator[JobRecord]:
    return (job for job in history.jobs if job.state == SUCCEEDED and job.variant in history.references)


def _seen(history: History, what: str, phase: str) -> Iterator[Entry]:
    return (entry for entry in history.log if (entry.what, entry.phase) == (what, phase))


def _artifact(facts: Mapping[str, Any]) -> str:
    return f"artifact {facts['artifact']} ({facts['path']}) of job {facts['job']}"


def _shown(sequences: Sequence[int]) -> str:
    """Numbers in short: `1-4, 4-9` repeats one."""
    runs: list[list[int]] = []
    for number in sequences:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}-{last}" for first, last in runs) or "none"
