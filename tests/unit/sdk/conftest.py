"""A control plane that fails on request, over real gRPC, and both clients of it."""

import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from tunesmith import AsyncTunesmith, Tunesmith
from tunesmith.job.v1 import job_event_pb2, job_pb2, job_state_pb2, metric_pb2
from tunesmith.job.v1 import job_service_pb2 as messages

from tests.fakes.control_plane import FakeControlPlane

Ask = Callable[[Callable[[Any], Any]], Awaitable[Any]]


class FailingPlane(FakeControlPlane):
    """Answers UNAVAILABLE as often as it is told to; watches come out of a log that is cut again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        # What happened to the job: at each position one event and one point, whose steps repeat.
        self.log: list[tuple[job_event_pb2.JobEvent, metric_pb2.MetricPoint]] = []
        # After how many messages each stream breaks; then they are whole.
        self.cuts: list[int] = []
        self.stream_closed = threading.Event()
        self.endless = False
        # How many jobs change.
        self.changes = 0

    def _begin(self, request: Message, context: grpc.ServicerContext) -> None:
        super()._begin(request, context)
        if self.failures:
            self.failures -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")

    def WatchJob(self, request: messages.WatchJobRequest, context: grpc.ServicerContext) -> Iterator[messages.WatchJobResponse]:
        if self.watches:
            yield from super().WatchJob(request, context)
            return
        self._begin(request, context)
        context.add_callback(self.stream_closed.set)
        cut = self.cuts.pop(0) if self.cuts else len(self.log) + 1
        # A server that forgets what the client has seen sends an event again; the client must not pass it on.
        begin = max(0, min(request.after_sequence, request.after_metric_cursor) - 1)
        for position, (event, point) in enumerate(self.log[begin:], begin + 1):
            if position - begin > cut:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the stream broke")
            done = position == len(self.log) and not self.endless
            state = job_state_pb2.JOB_STATE_SUCCEEDED if done else job_state_pb2.JOB_STATE_RUNNING
            yield messages.WatchJobResponse(
                job=job_pb2.Job(id=request.id, state=state),
                events=[event],
                metrics=[metric_pb2.MetricSeries(key="train_loss", points=[point])]
                if position > request.after_metric_cursor
                else [],
                metric_cursor=position,
            )
        while self.endless and context.is_active():
            self.stream_closed.wait(0.05)

    def WatchJobs(
        self, request: messages.WatchJobsRequest, context: grpc.ServicerContext
    ) -> Iterator[messages.WatchJobsResponse]:
        self._begin(request, context)
        closed = threading.Event()
        context.add_callback(closed.set)
        context.add_callback(self.stream_closed.set)
        cut = self.cuts.pop(0) if self.cuts else self.changes
        # As the server does: the first message comes at once and has a cursor, 1 while nothing has changed.
        begin = request.after_cursor or 1
        yield messages.WatchJobsResponse(cursor=begin)
        for number in range(begin + 1, self.changes + 2):
            if number - begin > cut:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the stream broke")
            yield messages.WatchJobsResponse(jobs=[job_pb2.Job(id=f"job {number}")], cursor=number)
        closed.wait()

    def happens(self, count: int, steps: int) -> None:
        """Fill the log; points go round `steps`, so that later ones replace earlier ones."""
        for number in range(1, count + 1):
            event = job_event_pb2.JobEvent(sequence=number, message=f"event {number}")
            self.log.append((event, metric_pb2.MetricPoint(step=number % steps, value=number)))


@pytest.fixture
def plane() -> Iterator[FailingPlane]:
    plane = FailingPlane()
    plane.start()
    yield plane
    plane.stop()


@pytest.fixture
def client(plane: FailingPlane) -> Iterator[Tunesmith]:
    with Tunesmith(f"127.0.0.1:{plane.port}") as client:
        yield client


@pytest.fixture
async def async_client(plane: FailingPlane) -> AsyncIterator[AsyncTunesmith]:
    async with AsyncTunesmith(f"127.0.0.1:{plane.port}") as client:
        yield client


@pytest.fixture(params=["blocking", "asynchronous"])
def ask(request: pytest.FixtureRequest, client: Tunesmith, async_client: AsyncTunesmith) -> Ask:
    """Makes the same call with either client."""

    async def made(call: Callable[[Any], Any]) -> Any:
        answer = call(client if request.param == "blocking" else async_client)
        return await answer if inspect.isawaitable(answer) else answer

    return made
