"""What happens around every RPC: a request id, validation, errors as google.rpc.Status, one log line."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import structlog
from google.rpc import code_pb2, status_pb2

from services.chassis.errors import ServiceError
from services.chassis.ids import new_id
from services.chassis.validation import check

REQUEST_ID_HEADER = "x-request-id"
_DETAILS_KEY = "grpc-status-details-bin"
# Asked every second by probes; a line each would bury the rest.
_QUIET = "/grpc.health.v1.Health/"

log = structlog.get_logger()

Handler = Callable[..., Any]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps each method of a server, whichever of the four shapes it has, once."""

    def __init__(self) -> None:
        self._wrapped: dict[str, grpc.RpcMethodHandler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if handler is None or method.startswith(_QUIET):
            return handler
        self._wrapped[method] = _wrap(handler, method)
        return self._wrapped[method]


def _wrap(handler: grpc.RpcMethodHandler, method: str) -> grpc.RpcMethodHandler:
    codec = {
        "request_deserializer": handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(_answering(handler.unary_unary, method, validated=True), **codec)
    if handler.stream_unary:
        return grpc.stream_unary_rpc_method_handler(_answering(handler.stream_unary, method, validated=False), **codec)
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(_streaming(handler.unary_stream, method, validated=True), **codec)
    return grpc.stream_stream_rpc_method_handler(_streaming(handler.stream_stream, method, validated=False), **codec)


def _answering(handler: Handler, method: str, *, validated: bool) -> Handler:
    async def answer(request: Any, context: grpc.aio.ServicerContext) -> Any:
        call = _Call(method, context)
        try:
            if validated:
                check(request)
            response = await handler(request, context)
        except Exception as error:
            await call.fail(error)
        call.log("OK")
        return response

    return answer


def _streaming(handler: Handler, method: str, *, validated: bool) -> Handler:
    async def stream(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
        call = _Call(method, context)
        try:
            if validated:
                check(request)
            async for response in handler(request, context):
                yield response
        except Exception as error:
            await call.fail(error)
        call.log("OK")

    return stream


class _Call:
    """One call: its method, its request id, and how it ended."""

    def __init__(self, method: str, context: grpc.aio.ServicerContext) -> None:
        self._method = method
        self._context = context
        self._request_id = _request_id(context)
        self._begin = time.monotonic()
        structlog.contextvars.bind_contextvars(request_id=self._request_id)
        context.set_trailing_metadata(((REQUEST_ID_HEADER, self._request_id),))

    async def fail(self, error: Exception) -> None:
        """End the call with the error's status. Always raises."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, ServiceError):
            status, code = error.status(), error.code
        elif isinstance(error, grpc.aio.AioRpcError):
            # Another service's answer to a call made on this caller's behalf: pass it on whole.
            status, code = _status_of(error), error.code()
        else:
            log.exception("call_failed", method=self._method)
            text = f"The server failed; its log has the cause under request id {self._request_id}. Try again, or report it."
            status, code = status_pb2.Status(code=code_pb2.INTERNAL, message=text), grpc.StatusCode.INTERNAL
        self.log(code.name, message=status.message)
        trailing = ((REQUEST_ID_HEADER, self._request_id), (_DETAILS_KEY, status.SerializeToString()))
        await self._context.abort(code, status.message, trailing)

    def log(self, code: str, **facts: str) -> None:
        elapsed_ms = round((time.monotonic() - self._begin) * 1000, 2)
        log.debug("call_ended", method=self._method, code=code, elapsed_ms=elapsed_ms, **facts)


def _request_id(context: grpc.aio.ServicerContext) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_HEADER and value:
            return str(value)
    return new_id()


def _status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY:
            return status_pb2.Status.FromString(value)
    return status_pb2.Status(code=error.code().value[0], message=error.details() or "")
