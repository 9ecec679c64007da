"""How generated methods reach the server: deadlines, and gRPC's errors as ours."""

from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from uuid import uuid4

import grpc
from tunesmith.client.errors import error_of

# Everything but an import of a model and a stream answers far sooner.
DEADLINE_S = 30.0

Response = TypeVar("Response")


def new_request_id() -> str:
    """A name for one write, so that its repetition does nothing."""
    return str(uuid4())


class Stream(Generic[Response]):
    """What a server sends, message by message. Leaving its `with` block, or `close`, ends the call."""

    def __init__(self, call: Any, server: str) -> None:
        self._call = call
        self._server = server

    def __iter__(self) -> Iterator[Response]:
        return self

    def __next__(self) -> Response:
        try:
            response: Response = next(self._call)
        except grpc.RpcError as error:
            raise error_of(error, self._server) from error
        return response

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        # A loop that was left early: nobody will ask for more.
        self._call.cancel()

    def close(self) -> None:
        """End the call; nothing happens if it is over."""
        self._call.cancel()


class AsyncStream(Generic[Response]):
    """What a server sends, message by message. Leaving its `async with` block, `aclose` or cancelling its reader ends it."""

    def __init__(self, call: Any, server: str) -> None:
        self._call = call
        self._messages = aiter(call)
        self._server = server

    def __aiter__(self) -> AsyncIterator[Response]:
        return self

    async def __anext__(self) -> Response:
        try:
            response: Response = await anext(self._messages)
        except grpc.RpcError as error:
            raise error_of(error, self._server) from error
        return response

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the call; nothing happens if it is over."""
        self._call.cancel()


class Service:
    """One service over a channel, for callers that wait."""

    def __init__(self, channel: Any, server: str, stub: Callable[[Any], Any]) -> None:
        self._stub = stub(channel)
        self._server = server

    def _answer(self, method: Any, request: Any, timeout: float | None) -> Any:
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise error_of(error, self._server) from error

    def _stream(self, method: Any, request: Any, timeout: float | None) -> Stream[Any]:
        return Stream(method(request, timeout=timeout), self._server)


class AsyncService:
    """One service over a channel of an event loop."""

    def __init__(self, channel: Any, server: str, stub: Callable[[Any], Any]) -> None:
        self._stub = stub(channel)
        self._server = server

    async def _answer(self, method: Any, request: Any, timeout: float | None) -> Any:  # noqa: ASYNC109  (gRPC's deadline)
        try:
            return await method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise error_of(error, self._server) from error

    def _stream(self, method: Any, request: Any, timeout: float | None) -> AsyncStream[Any]:
        return AsyncStream(method(request, timeout=timeout), self._server)
