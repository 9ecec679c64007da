"""The loop that answers inquiries, with a real door and estimators that do as they are told."""

import threading
import time
from collections.abc import Callable, Iterator

import grpc
import pytest
from google.rpc import code_pb2
from tunesmith.registry.v1 import model_profile_pb2
from tunesmith.worker.v1 import inquiry_pb2

from tests.fakes.crew import Answering, FakeCrew
from tests.fakes.worker_door import FakeDoor
from workers.crew import ActorLost, Estimator
from workers.door import Door
from workers.inquiries import IDLE_S, LONGEST_ANSWER_S, Inquiries

QUESTION = inquiry_pb2.Inquiry(profile=inquiry_pb2.ProfileQuestion(configuration_json="{}"))
Start = Callable[[Answering], "Running"]


def answering(inquiry: inquiry_pb2.Inquiry) -> inquiry_pb2.InquiryAnswer:
    return inquiry_pb2.InquiryAnswer(profile=model_profile_pb2.ModelProfile(model_class=inquiry.profile.configuration_json))


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Running:
    """The loop in a thread."""

    def __init__(self, door: Door, answering: Answering) -> None:
        self.stop = threading.Event()
        self.clock = Clock()
        self.crew = FakeCrew(lambda _: None)
        self.crew.answering = answering
        inquiries = Inquiries(door, self.crew, "pool", self.stop, self.clock)
        self._thread = threading.Thread(target=inquiries.run)
        self._thread.start()

    def end(self) -> None:
        self.stop.set()
        self._thread.join(5)
        assert not self._thread.is_alive()


@pytest.fixture
def start(door: Door) -> Iterator[Start]:
    running: list[Running] = []

    def begin(answering: Answering) -> Running:
        running.append(Running(door, answering))
        return running[-1]

    yield begin
    for one in running:
        one.end()


def test_an_inquiry_is_answered_by_one_estimator_for_all(server: FakeDoor, start: Start) -> None:
    running = start(answering)
    assert running.crew.estimators == []
    assert server.inquire(QUESTION).profile.model_class == "{}"
    assert server.inquire(QUESTION).profile.model_class == "{}"
    assert len(running.crew.estimators) == 1
    running.end()
    assert running.crew.estimators[0].dismissed.is_set()


def test_an_estimator_that_dies_is_answered_for_and_replaced(server: FakeDoor, start: Start) -> None:
    dead = [True]

    def dying(inquiry: inquiry_pb2.Inquiry) -> inquiry_pb2.InquiryAnswer:
        if dead.pop() if dead else False:
            raise ActorLost("the test ended it")
        return answering(inquiry)

    running = start(dying)
    answer = server.inquire(QUESTION)
    assert answer.error.code == code_pb2.UNAVAILABLE
    assert "the test ended it" in answer.error.message
    assert server.inquire(QUESTION).profile.model_class == "{}"
    assert [one.dismissed.is_set() for one in running.crew.estimators] == [True, False]


def test_one_that_has_died_while_it_was_idle_is_not_noticed_by_who_asks(server: FakeDoor, start: Start) -> None:
    died: list[bool] = []

    def dying(inquiry: inquiry_pb2.Inquiry) -> inquiry_pb2.InquiryAnswer:
        if died and died.pop():
            raise ActorLost("the test ended it")
        return answering(inquiry)

    running = start(dying)
    server.inquire(QUESTION)
    died.append(True)
    assert server.inquire(QUESTION).profile.model_class == "{}"
    assert len(running.crew.estimators) == 2


def test_one_that_nobody_needs_ends_and_another_starts_when_somebody_does(server: FakeDoor, start: Start) -> None:
    running = start(answering)
    server.inquire(QUESTION)
    running.clock.now_s += IDLE_S
    assert running.crew.estimators[0].dismissed.wait(5)
    server.inquire(QUESTION)
    assert len(running.crew.estimators) == 2


def test_one_that_takes_too_long_is_ended(server: FakeDoor, start: Start) -> None:
    running: list[Running] = []

    def pondering(inquiry: inquiry_pb2.Inquiry) -> None:
        running[0].clock.now_s += LONGEST_ANSWER_S

    running.append(start(pondering))
    answer = server.inquire(QUESTION)
    assert "no answer after" in answer.error.message
    assert running[0].crew.estimators[0].dismissed.is_set()


def test_services_that_are_away_are_asked_again(server: FakeDoor, start: Start) -> None:
    server.failures["TakeInquiry"] = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL]
    server.failures["AnswerInquiry"] = [grpc.StatusCode.UNAVAILABLE]
    start(answering)
    assert server.inquire(QUESTION).profile.model_class == "{}"
    assert server.calls.count("AnswerInquiry") == 2


def test_an_estimator_that_can_not_be_hired_ends_nothing(server: FakeDoor, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.inquiries.AFTER_REFUSAL_S", 0.01)
    refusals = [RuntimeError("the test says so")]
    running = start(answering)
    hire = running.crew.hire_estimator

    def refusing() -> Estimator:
        if refusals:
            raise refusals.pop()
        return hire()

    running.crew.hire_estimator = refusing  # type: ignore[method-assign]
    server.give(QUESTION)
    server.wait_for(lambda: not server.inquiries)
    assert server.inquire(QUESTION).profile.model_class == "{}"


def test_an_agent_that_stops_waits_for_no_answer(server: FakeDoor, start: Start) -> None:
    asked = threading.Event()

    def endless(inquiry: inquiry_pb2.Inquiry) -> None:
        asked.set()
        time.sleep(0.01)

    running = start(endless)
    server.give(QUESTION)
    assert asked.wait(5)
    running.end()
    assert running.crew.estimators[0].dismissed.is_set()
