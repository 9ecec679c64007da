"""Questions reach one pool and answers reach everybody who asked, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from tunesmith.registry.v1 import model_profile_pb2
from tunesmith.worker.v1 import inquiry_pb2, inquiry_service_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door
from tunesmith.worker.v1.inquiry_service_pb2_grpc import InquiryServiceStub

from services.chassis.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, ResourceExhausted, Unavailable
from services.job.inquiries import ANSWERING_S, MAX_QUEUED, SILENT_S, Inquiries
from tests.unit.services.job.conftest import House

WAIT_S = 5.0


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def inquiries(clock: Clock) -> AsyncIterator[Inquiries]:
    made = Inquiries(clock)
    yield made
    await made.stop()


def about(name: str) -> inquiry_pb2.Inquiry:
    return inquiry_pb2.Inquiry(profile=inquiry_pb2.ProfileQuestion(configuration_json=name))


def answer_to(inquiry: inquiry_pb2.Inquiry) -> inquiry_pb2.InquiryAnswer:
    profile = model_profile_pb2.ModelProfile(model_class=inquiry.profile.configuration_json)
    return inquiry_pb2.InquiryAnswer(inquiry_id=inquiry.id, profile=profile)


async def taken(inquiries: Inquiries, pool: str = "pool") -> inquiry_pb2.Inquiry:
    inquiry = await inquiries.take(pool, WAIT_S)
    assert inquiry is not None
    return inquiry


async def waiting_pool(inquiries: Inquiries, pool: str = "pool") -> "asyncio.Task[inquiry_pb2.Inquiry | None]":
    task = asyncio.create_task(inquiries.take(pool, WAIT_S))
    await asyncio.sleep(0)
    return task


async def test_a_pool_that_waits_gets_the_question_and_the_asker_its_answer(inquiries: Inquiries) -> None:
    pool = await waiting_pool(inquiries)
    asking = asyncio.create_task(inquiries.ask(about("a"), WAIT_S))
    inquiry = await pool
    assert inquiry is not None
    assert inquiry.id
    inquiries.answer("pool", answer_to(inquiry))
    assert (await asking).profile.model_class == "a"


async def test_what_is_asked_twice_at_once_is_answered_once(inquiries: Inquiries) -> None:
    pool = await waiting_pool(inquiries)
    asking = [asyncio.create_task(inquiries.ask(about("a"), WAIT_S)) for _ in range(3)]
    inquiry = await pool
    assert inquiry is not None
    inquiries.answer("pool", answer_to(inquiry))
    assert [one.profile.model_class for one in await asyncio.gather(*asking)] == ["a"] * 3
    assert await inquiries.take("pool", 0.01) is None


async def test_several_pools_share_the_questions(inquiries: Inquiries) -> None:
    pools = [await waiting_pool(inquiries, name) for name in ("one", "two")]
    asking = [asyncio.create_task(inquiries.ask(about(name), WAIT_S)) for name in "ab"]
    for name, pool in zip(("one", "two"), pools, strict=True):
        inquiry = await pool
        assert inquiry is not None
        inquiries.answer(name, answer_to(inquiry))
    assert [one.profile.model_class for one in await asyncio.gather(*asking)] == ["a", "b"]


async def test_without_a_pool_the_answer_is_no(inquiries: Inquiries, clock: Clock) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        await inquiries.ask(about("a"), WAIT_S)
    assert refused.value.reason == "NO_POOL"
    await inquiries.take("pool", 0.01)
    clock.now_s += SILENT_S + 1
    with pytest.raises(FailedPrecondition):
        await inquiries.ask(about("a"), WAIT_S)


async def test_a_pool_that_is_answering_is_there(inquiries: Inquiries, clock: Clock) -> None:
    pool = await waiting_pool(inquiries)
    first = asyncio.create_task(inquiries.ask(about("a"), WAIT_S))
    inquiry = await pool
    assert inquiry is not None
    clock.now_s += SILENT_S + 1
    second = asyncio.create_task(inquiries.ask(about("b"), WAIT_S))
    await asyncio.sleep(0)
    inquiries.answer("pool", answer_to(inquiry))
    inquiries.answer("pool", answer_to(await taken(inquiries)))
    assert [(await one).profile.model_class for one in (first, second)] == ["a", "b"]
    clock.now_s += ANSWERING_S + 1
    with pytest.raises(FailedPrecondition):
        await inquiries.ask(about("c"), WAIT_S)


async def test_nobody_waits_longer_than_they_said(inquiries: Inquiries) -> None:
    await inquiries.take("pool", 0.01)
    with pytest.raises(DeadlineExceeded) as late:
        await inquiries.ask(about("a"), 0.05)
    assert late.value.reason == "NO_ANSWER"
    # And nobody is asked for what nobody waits for.
    assert await inquiries.take("pool", 0.01) is None


async def test_one_who_gives_up_takes_nothing_from_another(inquiries: Inquiries) -> None:
    pool = await waiting_pool(inquiries)
    hasty, patient = (asyncio.create_task(inquiries.ask(about("a"), seconds)) for seconds in (0.05, WAIT_S))
    inquiry = await pool
    assert inquiry is not None
    with pytest.raises(DeadlineExceeded):
        await hasty
    inquiries.answer("pool", answer_to(inquiry))
    assert (await patient).profile.model_class == "a"


async def test_an_answer_that_got_lost_is_asked_for_once_more(inquiries: Inquiries) -> None:
    await inquiries.take("pool", 0.01)
    asking = asyncio.create_task(inquiries.ask(about("a"), WAIT_S))
    first, second = await taken(inquiries), await taken(inquiries)
    assert first.id == second.id
    # Twice is enough: it may be what ends the pool each time.
    assert await inquiries.take("pool", 0.01) is None
    answer = await asking
    assert answer.error.code == code_pb2.UNAVAILABLE
    assert answer.inquiry_id == first.id


async def test_an_answer_that_nobody_waits_for_changes_nothing(inquiries: Inquiries) -> None:
    inquiries.answer("nobody", inquiry_pb2.InquiryAnswer(inquiry_id="x"))
    await inquiries.take("pool", 0.01)
    inquiries.answer("pool", inquiry_pb2.InquiryAnswer(inquiry_id="x"))


async def test_of_two_calls_of_one_pool_the_later_one_is_heard(inquiries: Inquiries) -> None:
    """The first one's connection broke, and the server does not know yet."""
    broken, fresh = await waiting_pool(inquiries), await waiting_pool(inquiries)
    assert await broken is None
    asking = asyncio.create_task(inquiries.ask(about("a"), WAIT_S))
    inquiry = await fresh
    assert inquiry is not None
    inquiries.answer("pool", answer_to(inquiry))
    await asking


async def test_too_many_questions_are_refused(inquiries: Inquiries) -> None:
    await inquiries.take("pool", 0.01)
    asking = [asyncio.create_task(inquiries.ask(about(str(number)), WAIT_S)) for number in range(MAX_QUEUED)]
    await asyncio.sleep(0)
    with pytest.raises(ResourceExhausted):
        await inquiries.ask(about("one more"), WAIT_S)
    await inquiries.stop()
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(one) for one in ended] == [Unavailable] * MAX_QUEUED


async def test_a_question_that_asks_nothing_is_refused(inquiries: Inquiries) -> None:
    with pytest.raises(InvalidArgument):
        await inquiries.ask(inquiry_pb2.Inquiry(), WAIT_S)


async def test_a_service_that_stops_lets_pools_go(inquiries: Inquiries) -> None:
    pool = await waiting_pool(inquiries)
    await inquiries.stop()
    assert await asyncio.wait_for(pool, 1) is None


Asking = Callable[[str, float], Awaitable[inquiry_pb2.InquiryAnswer]]


@pytest.fixture
async def ask(house: House, socket: str) -> AsyncIterator[Asking]:
    async with grpc.aio.insecure_channel(socket) as channel:
        stub = InquiryServiceStub(channel)

        async def one(name: str, timeout_s: float) -> inquiry_pb2.InquiryAnswer:
            request = inquiry_service_pb2.AskRequest(inquiry=about(name), timeout_seconds=timeout_s)
            return (await stub.Ask(request)).answer

        yield one


async def test_over_the_wire(house: House, ask: Asking) -> None:
    request = door.TakeInquiryRequest(pool_id="pool", wait_seconds=WAIT_S)
    pool = asyncio.ensure_future(house.worker.TakeInquiry(request))
    await asyncio.sleep(0.1)
    asking = asyncio.create_task(ask("a", WAIT_S))
    inquiry = (await pool).inquiry
    await house.worker.AnswerInquiry(door.AnswerInquiryRequest(pool_id="pool", answer=answer_to(inquiry)))
    assert (await asking).profile.model_class == "a"
    assert not (await house.worker.TakeInquiry(door.TakeInquiryRequest(pool_id="pool"))).HasField("inquiry")


async def test_over_the_wire_the_reason_is_told(house: House, ask: Asking) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ask("a", WAIT_S)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    status: status_pb2.Status = rpc_status.from_call(refused.value)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.reason == "NO_POOL"
