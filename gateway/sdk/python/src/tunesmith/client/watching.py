"""Takes a stream up again where it broke, for as long as somebody wants to hear it."""

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Generic, TypeVar

import grpc
from tunesmith.client.calls import AsyncStream, Stream
from tunesmith.client.errors import TunesmithError, Unavailable
from tunesmith.job.v1.job_service_pb2 import WatchJobResponse, WatchJobsResponse

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0
# How a stream breaks, as against a call that the server refuses.
_BROKEN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)

# Told True when the stream broke, False when it came back.
OnBreak = Callable[[bool], None]
Message = TypeVar("Message", WatchJobResponse, WatchJobsResponse)


class Following(ABC, Generic[Message]):
    """How far a watch is: what to ask for next, how long to wait before, and when to give up."""

    # What the error of who gives up is about, and what to do then.
    subject: str
    advice: str

    def __init__(self, give_up_s: float, on_break: OnBreak | None) -> None:
        self._give_up_s = give_up_s
        self._on_break = on_break
        self._last_heard: float | None = None
        self._delay = FIRST_DELAY_S

    @abstractmethod
    def next_stream(self) -> dict[str, Any]:
        """The arguments of the stream that is about to be opened."""

    @abstractmethod
    def take(self, message: Message) -> None:
        """Go on behind a message, and leave in it what is new."""

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Whether a stream that ends now has told everything."""

    def heard(self, message: Message) -> Message:
        """A message as its reader gets it."""
        if self._last_heard is not None and self._delay > FIRST_DELAY_S:
            self._tell(False)
        self._last_heard, self._delay = time.monotonic(), FIRST_DELAY_S
        self.take(message)
        return message

    def broke(self, error: TunesmithError | None = None) -> float:
        """Seconds to wait before the next stream. Raises the error if no stream does better, Unavailable after long silence."""
        if error is not None and (self._last_heard is None or error.code not in _BROKEN):
            raise error
        if self._last_heard is not None and time.monotonic() - self._last_heard > self._give_up_s:
            raise Unavailable(f"nothing heard of {self.subject} for {self._give_up_s:.0f} s; {self.advice}")
        if self._delay == FIRST_DELAY_S:
            self._tell(True)
        delay, self._delay = self._delay, min(LONGEST_DELAY_S, self._delay * 2)
        # A server that comes back is not met by all its watchers at once.
        return delay * random.uniform(0.5, 1.0)  # noqa: S311

    def _tell(self, broken: bool) -> None:
        if self._on_break is not None:
            self._on_break(broken)


def follow(following: Following[Message], open_stream: Callable[..., Stream[Message]]) -> Generator[Message, None, None]:
    """The messages of as many streams as it takes."""
    while True:
        broke_by = None
        try:
            with open_stream(**following.next_stream()) as stream:
                for message in stream:
                    yield following.heard(message)
            if following.is_over:
                return
        except TunesmithError as error:
            broke_by = error
        time.sleep(following.broke(broke_by))


async def follow_async(
    following: Following[Message], open_stream: Callable[..., AsyncStream[Message]]
) -> AsyncGenerator[Message, None]:
    """`follow` for an event loop."""
    while True:
        broke_by = None
        try:
            async with open_stream(**following.next_stream()) as stream:
                async for message in stream:
                    yield following.heard(message)
            if following.is_over:
                return
        except TunesmithError as error:
            broke_by = error
        await asyncio.sleep(following.broke(broke_by))
