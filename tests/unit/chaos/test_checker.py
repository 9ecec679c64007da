"""The checker over histories in which one thing is wrong: a checker that can't fail is worth nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.chaos import checker
from tests.chaos.checker import History
from tests.chaos.history import Artifact, Event, JobRecord
from tests.chaos.log import Entry

JOB, OTHER = "job-1", "job-2"
WHOLE = [100, "aa"]


def event(sequence: int, kind: str, state: str, attempt: int = 1) -> Event:
    return Event(sequence, f"JOB_EVENT_TYPE_{kind}", f"JOB_STATE_{state}", attempt, kind.lower())


# A job that lost its worker once and went on.
EVENTS = (
    event(1, "CREATED", "QUEUED", 0),
    event(2, "STARTED", "RUNNING", 1),
    event(3, "WORKER_LOST", "QUEUED", 1),
    event(4, "STARTED", "RUNNING", 2),
    event(5, "SUCCEEDED", "SUCCEEDED", 2),
)
CURVE = {"train_loss": {1: 0.5, 2: 0.25}, "tokens_per_second": {1: 10.0, 2: 11.0}}
ADAPTER = (Artifact("file-1", "set-1", "adapter/adapter_model.safetensors", 100, "aa"),)
RECORD = JobRecord(JOB, "request-1", "JOB_STATE_SUCCEEDED", "lora", EVENTS, CURVE, ADAPTER)
REFERENCE = replace(RECORD, id="reference", events=())


def entry(phase: str, what: str, who: str = "somebody", **facts: object) -> Entry:
    return Entry(0.0, phase, what, who, facts)


def watched(who: str, *messages: Sequence[int], state: str = "SUCCEEDED", job: str = JOB) -> list[Entry]:
    """A watcher's messages, one a list of sequences; the state is told by the last."""
    states = ["JOB_STATE_RUNNING"] * (len(messages) - 1) + [f"JOB_STATE_{state}"]
    return [
        entry("seen", "watch", who, job=job, state=told, sequences=list(sequences))
        for told, sequences in zip(states, messages, strict=True)
    ]


def downloaded(artifact: str = "file-1", came: Sequence[object] = WHOLE) -> Entry:
    return entry("ok", "download", job=JOB, artifact=artifact, path="adapter/x", announced=list(WHOLE), came=list(came))


def ran(pid: int, attempt: int, began: float, ended: float, how: str = "process_ended", **facts: object) -> list[Entry]:
    return [
        entry("seen", "attempt_started", pid=pid, job=JOB, attempt=attempt, time=began),
        entry("seen", how, pid=pid, time=ended, **facts),
    ]


CREATED = [
    entry("invoke", "create", request="request-1"),
    entry("unknown", "create", request="request-1", error="UNAVAILABLE: gone"),
    entry("ok", "create", request="request-1", job=JOB),
]
WATCHED = watched("watcher", [1, 2], [3], [], [4, 5])
PROBED = [entry("seen", "set", job=JOB, set="set-1", paths=["adapter/adapter_model.safetensors"]), downloaded()]
RAN = ran(10, 1, 1.0, 2.0) + ran(11, 2, 3.0, 4.0, "attempt_ended", job=JOB, outcome="succeeded")


def history(
    record: JobRecord | Sequence[JobRecord] = RECORD,
    created: Sequence[Entry] = CREATED,
    seen: Sequence[Entry] = WATCHED,
    probed: Sequence[Entry] = PROBED,
    actors: Sequence[Entry] = RAN,
    more: Sequence[Entry] = (),
) -> History:
    records = [record] if isinstance(record, JobRecord) else list(record)
    return History([*created, *seen, *probed, *actors, *more], records, {"lora": REFERENCE})


def with_events(*events: Event) -> JobRecord:
    return replace(RECORD, events=events)


def test_a_history_in_which_all_is_well() -> None:
    assert checker.violations(history()) == []


I1 = checker.acknowledged_jobs
I2 = checker.attempts
I3 = checker.states
I4 = checker.watchers
I5 = checker.artifacts
TWIN = replace(RECORD, id=OTHER)
VIOLATIONS: list[tuple[str, Callable[[History], object], History, str]] = [
    ("an acknowledged job is gone", I1, history([]), "acknowledged to request-1 and is gone"),
    ("one request made two jobs", I1, history([RECORD, TWIN]), "request-1 made 2 jobs"),
    (
        "a repeated request had another answer",
        I1,
        history([RECORD, TWIN], [*CREATED, entry("ok", "create", request="request-1", job=OTHER)]),
        "answered with 2 jobs",
    ),
    ("a job that nobody asked for", I1, history([RECORD, replace(TWIN, display_name="ghost")]), "ghost made a job"),
    (
        "an answer that names somebody else's job",
        I1,
        history(replace(RECORD, display_name="request-2")),
        "acknowledged to request-1 and is request-2's",
    ),
    ("an attempt started twice", I2, history(with_events(*EVENTS[:4], EVENTS[3], EVENTS[4])), "started attempts [1, 2, 2]"),
    ("an attempt was left out", I2, history(with_events(EVENTS[0], EVENTS[3], EVENTS[4])), "started attempts [2]"),
    ("two actors ran one attempt", I2, history(actors=RAN + ran(12, 2, 5.0, 6.0)), "attempt 2 of job job-1 2 times"),
    (
        "an actor ran what nobody started",
        I2,
        history(actors=RAN + ran(12, 3, 5.0, 6.0)),
        "attempt 3 of job job-1, which was never",
    ),
    ("two attempts at once", I2, history(actors=ran(10, 1, 1.0, 3.5) + ran(11, 2, 3.0, 4.0)), "ran at once for 0.50 s"),
    ("two attempts at once, one for ever", I2, history(actors=RAN[:1] + RAN[2:]), "ran at once for inf s"),
    ("a success that no actor knows of", I2, history(actors=RAN[:2]), "no actor's log tells of attempt 2"),
    (
        "two attempts both succeeded",
        I2,
        history(actors=ran(10, 1, 1.0, 2.0, "attempt_ended", job=JOB, outcome="succeeded") + RAN[2:]),
        "attempts [1, 2] of job job-1 all succeeded",
    ),
    (
        "a lost attempt was told that it succeeded",
        I2,
        history(actors=ran(10, 1, 1.0, 2.0, "attempt_ended", job=JOB, outcome="succeeded")),
        "succeeded with attempt 2, and actors were told so of attempts [1]",
    ),
    ("an illegal step", I3, history(with_events(EVENTS[0], event(2, "SUCCEEDED", "SUCCEEDED"))), "from JOB_STATE_QUEUED to"),
    ("an end that was not one", I3, history(with_events(*EVENTS, event(6, "STARTED", "RUNNING", 3))), "went on after"),
    ("a job that began in the middle", I3, history(with_events(*EVENTS[1:])), "began as JOB_STATE_RUNNING"),
    ("a state without its event", I3, history(replace(RECORD, state="JOB_STATE_FAILED")), "last event says JOB_STATE_SUCCEEDED"),
    (
        "a terminal state that changed",
        I3,
        history(seen=[*watched("early", [1], state="CANCELLED"), *WATCHED]),
        "early was told that job job-1 is JOB_STATE_CANCELLED",
    ),
    ("a gap in the list", I4, history(with_events(*EVENTS[:2], *EVENTS[3:])), "lists events 1-2, 4-5"),
    ("a watcher missed one", I4, history(seen=watched("watcher", [1, 2], [4, 5])), "saw events 1-2, 4-5"),
    ("a watcher saw one twice", I4, history(seen=watched("watcher", [1, 2, 3], [3, 4, 5])), "saw events 1-3, 3-5"),
    ("a watcher saw them out of order", I4, history(seen=watched("watcher", [1, 3], [2, 4, 5])), "saw events 1-1, 3-3, 2-2"),
    ("a watcher missed the last", I4, history(seen=watched("watcher", [1, 2, 3, 4])), "saw events 1-4 "),
    ("a watcher saw one that is not listed", I4, history(seen=watched("watcher", [1, 2, 3, 4, 5, 6])), "saw events 1-6"),
    ("one of two watchers missed one", I4, history(seen=[*WATCHED, *watched("other", [1, 2, 3, 4])]), "other saw events 1-4"),
    ("nobody watched", I4, history(seen=()), "nobody watched"),
    ("a file of another size", I5, history(probed=[downloaded(came=[99, "aa"])]), "came as [99, 'aa']"),
    ("a file of other bytes", I5, history(probed=[downloaded(came=[100, "bb"])]), "came as [100, 'bb']"),
    (
        "an early download that broke, and a late one that did not",
        I5,
        history(more=[entry("fail", "download", job=JOB, artifact="file-1", path="adapter/x", error="NOT_FOUND: gone")]),
        "is listed and can't be had: NOT_FOUND",
    ),
    ("a listed file that nobody had", I5, history(probed=PROBED[:1]), "was never downloaded"),
    (
        "a set that grew",
        I5,
        history(more=[entry("seen", "set", job=JOB, set="set-1", paths=["adapter/a", "adapter/b"])]),
        "set set-1 showed different files",
    ),
    (
        "a job that failed",
        checker.endings,
        history(replace(with_events(*EVENTS[:4], event(5, "FAILED", "FAILED", 2)), state="JOB_STATE_FAILED")),
        "is JOB_STATE_FAILED: failed",
    ),
    (
        "a curve that is off by the last bit",
        checker.curves,
        history(replace(RECORD, series={"train_loss": {1: 0.5, 2: 0.25000000000000006}})),
        "differs at 1 steps, first at 2",
    ),
    ("a curve with a hole", checker.curves, history(replace(RECORD, series={"train_loss": {2: 0.25}})), "None instead of 0.5"),
    (
        "a curve that goes on",
        checker.curves,
        history(replace(RECORD, series={"train_loss": {1: 0.5, 2: 0.25, 3: 0.1}})),
        "first at 3: 0.1 instead of None",
    ),
    ("a result is missing", checker.results, history(replace(RECORD, artifacts=())), "lists [] instead of"),
    ("other weights", checker.results, history(replace(RECORD, artifacts=(replace(ADAPTER[0], sha256="bb"),))), "other weights"),
    (
        "a client was told no",
        checker.refusals,
        history(more=[entry("fail", "create", request="request-1", error="ALREADY_EXISTS: other body")]),
        "was refused create: ALREADY_EXISTS",
    ),
]


@pytest.mark.parametrize(("check", "wrong", "says"), [pytest.param(*each[1:], id=each[0]) for each in VIOLATIONS])
def test_what_is_wrong_is_found(check: Callable[[History], object], wrong: History, says: str) -> None:
    found = list(check(wrong))
    assert any(says in text for text in found), found
    assert any(says in text for text in checker.violations(wrong))


def test_every_check_has_a_history_that_violates_it() -> None:
    checks = {check for _, check, _, _ in VIOLATIONS}
    assert {check.__name__ for check in checks} == {
        "acknowledged_jobs",
        "attempts",
        "states",
        "watchers",
        "artifacts",
        "endings",
        "curves",
        "results",
        "refusals",
    }
    assert len(VIOLATIONS) == 39


def test_a_pause_that_came_too_late_is_no_refusal() -> None:
    late = entry("fail", "PauseJobRequest", job=JOB, error="FAILED_PRECONDITION: the job is over")
    assert checker.violations(history(more=[late])) == []


def test_what_only_measures_may_differ() -> None:
    slow = replace(RECORD, series={**CURVE, "tokens_per_second": {1: 1.0, 2: 1.0}})
    assert checker.violations(history(slow)) == []
