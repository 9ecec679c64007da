"""What waits for the service, and how it is cut into reports."""

import math

import pytest
from tunesmith.job.v1 import histogram_pb2, job_event_pb2, job_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.validation import check
from workers import outbox as limits
from workers.outbox import Outbox

WARNING = job_event_pb2.JOB_EVENT_TYPE_WARNING


def cut(outbox: Outbox) -> worker.ReportRequest:
    """A report as it goes out: the contract's own rules apply to it."""
    request = outbox.cut()
    request.lease.job_id, request.lease.epoch, request.sequence = "j", 1, 1
    check(request)
    return request


def test_only_the_latest_progress_is_sent_and_figures_add_up() -> None:
    outbox = Outbox()
    outbox.set_progress(worker.Progress(step=1))
    outbox.set_progress(worker.Progress(step=2))
    outbox.add_figures(job_pb2.JobFigures(step_seconds=1.5))
    outbox.add_figures(job_pb2.JobFigures(tokens_per_second=10))
    request = cut(outbox)
    assert request.progress.step == 2
    assert request.measured == job_pb2.JobFigures(step_seconds=1.5, tokens_per_second=10)
    assert outbox.is_empty()


def test_what_was_not_said_is_unset() -> None:
    outbox = Outbox()
    assert outbox.is_empty()
    outbox.add_event(WARNING, "w")
    assert not outbox.is_empty()
    request = cut(outbox)
    assert not request.HasField("progress")
    assert not request.HasField("measured")
    assert not request.events[0].HasField("detail")


def test_a_long_silence_is_cut_into_reports_that_the_contract_allows_and_loses_nothing() -> None:
    outbox = Outbox()
    steps = limits.MAX_CHUNK_POINTS * 2 + 5
    for step in range(1, steps + 1):
        outbox.add_points(step, {"train_loss": step / 2, "epoch": 0.0, "learning_rate": 1e-5})
    seen: dict[str, list[int]] = {}
    reports = 0
    while not outbox.is_empty():
        reports += 1
        request = cut(outbox)
        assert sum(len(chunk.steps) for chunk in request.metrics) <= limits.MAX_REPORT_POINTS
        for chunk in request.metrics:
            seen.setdefault(chunk.key, []).extend(chunk.steps)
    assert reports == 3
    assert seen == {key: list(range(1, steps + 1)) for key in ("train_loss", "epoch", "learning_rate")}


def test_many_events_keep_their_order_over_reports() -> None:
    outbox = Outbox()
    for number in range(limits.MAX_EVENTS + 1):
        outbox.add_event(WARNING, str(number))
    first, second = cut(outbox), cut(outbox)
    assert [event.message for event in first.events] == [str(number) for number in range(limits.MAX_EVENTS)]
    assert [event.message for event in second.events] == [str(limits.MAX_EVENTS)]


def test_memory_is_bounded_and_what_was_dropped_is_said() -> None:
    outbox = Outbox(max_waiting_points=10)
    for step in range(1, 13):
        outbox.add_points(step, {"train_loss": 1.0})
    request = cut(outbox)
    assert list(request.metrics[0].steps) == list(range(1, 11))
    assert not outbox.is_empty()
    assert cut(outbox).events[0].message.startswith("2 metric points are missing")
    assert outbox.is_empty()
    outbox.add_points(13, {"train_loss": 1.0})
    assert list(cut(outbox).metrics[0].steps) == [13]


def test_a_figure_that_json_cannot_hold_stays_out_of_an_events_detail() -> None:
    outbox = Outbox()
    outbox.add_event(WARNING, "diverged", {"step": 3, "eval_loss": math.nan})
    assert dict(cut(outbox).events[0].detail) == {"step": 3}


def test_a_message_that_is_too_long_is_cut() -> None:
    outbox = Outbox()
    outbox.add_event(WARNING, "x" * (limits.MAX_MESSAGE_CHARACTERS + 1))
    message = cut(outbox).events[0].message
    assert len(message) == limits.MAX_MESSAGE_CHARACTERS
    assert message.endswith("x…")


def test_too_many_histograms_are_confessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_WAITING_HISTOGRAMS", 3)
    outbox = Outbox()
    taken = [histogram_pb2.WeightHistogram(layer=str(number), counts=[1]) for number in range(2)]
    outbox.add_histograms(taken)
    # Those of one step are taken or left together.
    outbox.add_histograms(taken)
    first, second = outbox.cut(), outbox.cut()
    assert [one.layer for one in first.histograms] == ["0", "1"]
    texts = [event.message for request in (first, second) for event in request.events]
    assert len(texts) == 1 and texts[0].startswith("2 histograms are missing")
    assert outbox.is_empty()
