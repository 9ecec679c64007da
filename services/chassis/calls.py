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
    """Wraps each method of a server, whichever of the four shapes it has."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(_QUIET):
            return handler
        call = _Call(handler_call_details.method, dict(handler_call_details.invocation_metadata))
        codec = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(call.answer(handler.unary_unary, validated=True), **codec)
        if handler.stream_unary:
            return grpc.stream_unary_rpc_method_handler(call.answer(handler.stream_unary, validated=False), **codec)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(call.stream(handler.unary_stream, validated=True), **codec)
        return grpc.stream_stream_rpc_method_handler(call.stream(handler.stream_stream, validated=False), **codec)


class _Call:
    """One call: its method, its request id, and how it ended."""

    def __init__(self, method: str, metadata: dict[str, Any]) -> None:
        self._method = method
        self._request_id = str(metadata.get(REQUEST_ID_HEADER) or new_id())
        self._begin = time.monotonic()

    def answer(self, method: Handler, *, validated: bool) -> Handler:
        async def call(request: Any, context: grpc.aio.ServicerContext) -> Any:
            self._enter(context)
            try:
                if validated:
                    check(request)
                response = await method(request, context)
            except Exception as error:
                await self._fail(context, error)
            self._log("OK")
            return response

        return call

    def stream(self, method: Handler, *, validated: bool) -> Handler:
        async def call(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            self._enter(context)
            try:
                if validated:
                    check(request)
                async for response in method(request, context):
                    yield response
            except Exception as error:
                await self._fail(context, error)
            self._log("OK")

        return call

    def _enter(self, context: grpc.aio.ServicerContext) -> None:
        structlog.contextvars.bind_contextvars(request_id=self._request_id)
        context.set_trailing_metadata(((REQUEST_ID_HEADER, self._request_id),))

    async def _fail(self, context: grpc.aio.ServicerContext, error: Exception) -> None:
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
        self._log(code.name, message=status.message)
        trailing = ((REQUEST_ID_HEADER, self._request_id), (_DETAILS_KEY, status.SerializeToString()))
        await context.abort(code, status.message, trailing)

    def _log(self, code: str, **facts: str) -> None:
        elapsed_ms = round((time.monotonic() - self._begin) * 1000, 2)
        log.debug("call_ended", method=self._method, code=code, elapsed_ms=elapsed_ms, **facts)


def _status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY:
            return status_pb2.Status.FromString(value)
    return status_pb2.Status(code=error.code().value[0], message=error.details() or "")
