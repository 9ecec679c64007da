"""What a call can end with instead of an answer: one class a gRPC code, with what the server said about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

# gRPC's own words when there was nobody to talk to; a gateway whose services are away says something else.
_NOBODY_THERE = ("failed to connect to all addresses", "DNS resolution failed", "resolving", "Connection refused")


@dataclass(frozen=True)
class Violation:
    """What is wrong with one field of a request, and what to do about it."""

    # Path in the request: `configuration.schedule.epochs`. Empty for a rule of the whole.
    field: str
    description: str
    # The stable id of the rule that was broken: `int32.lte`. Empty where a check has none.
    reason: str = ""

    def __str__(self) -> str:
        # Many texts name their field themselves.
        named = not self.field or self.description.startswith(self.field)
        return self.description if named else f"{self.field}: {self.description}"


class TunesmithError(Exception):
    """What went wrong, as a sentence that ends in what to do next. Catch a subclass, or look at `code` and `reason`."""

    code: grpc.StatusCode = grpc.StatusCode.UNKNOWN
    by_code: ClassVar[dict[grpc.StatusCode, type["TunesmithError"]]] = {}

    def __init_subclass__(cls) -> None:
        # A class that says no code of its own stands for something that happened here, not for an answer.
        if "code" in cls.__dict__:
            TunesmithError.by_code[cls.code] = cls

    def __init__(
        self,
        message: str,
        *,
        violations: Sequence[Violation] = (),
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        code: grpc.StatusCode | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        # Everything that is wrong with the request's fields.
        self.violations = list(violations)
        # A stable word that programs can tell errors apart by: `JOB_IS_OVER`. Empty where the code says all.
        self.reason = reason
        self.metadata = dict(metadata or {})
        if code is not None:
            self.code = code


class InvalidArgument(TunesmithError):
    """The request is wrong, whatever the server's state: change the fields in `violations`."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class OutOfRange(TunesmithError):
    """An offset lies beyond the end."""

    code = grpc.StatusCode.OUT_OF_RANGE


class NotFound(TunesmithError):
    """There is no such thing."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(TunesmithError):
    """Something of that name is there with other content."""

    code = grpc.StatusCode.ALREADY_EXISTS


class FailedPrecondition(TunesmithError):
    """The state of things does not allow it; `reason` says which."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Aborted(TunesmithError):
    """Somebody else changed it meanwhile."""

    code = grpc.StatusCode.ABORTED


class ResourceExhausted(TunesmithError):
    """A limit was passed; ask for less."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unauthenticated(TunesmithError):
    """The server does not know who calls."""

    code = grpc.StatusCode.UNAUTHENTICATED


class PermissionDenied(TunesmithError):
    """The caller may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class Unavailable(TunesmithError):
    """No server answers, or it lacks what the call needs; calls that may be repeated were repeated."""

    code = grpc.StatusCode.UNAVAILABLE


class DeadlineExceeded(TunesmithError):
    """No answer within the call's time."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class Cancelled(TunesmithError):
    """The call was ended before its answer."""

    code = grpc.StatusCode.CANCELLED


class Unimplemented(TunesmithError):
    """The server does not know the call."""

    code = grpc.StatusCode.UNIMPLEMENTED


class Internal(TunesmithError):
    """The server failed; its log has the cause."""

    code = grpc.StatusCode.INTERNAL


def invalid(violations: Sequence[Violation]) -> InvalidArgument:
    """Fields that were found wrong before anything was sent."""
    return InvalidArgument("; ".join(map(str, violations)), violations=violations)


def error_of(error: grpc.RpcError, server: str) -> TunesmithError:
    """A failed call as what it means, with all that the server said."""
    status, code = status_of(error), error.code()
    violations: list[Violation] = []
    reason, metadata = "", {}
    for detail in status.details:
        bad_request, info = error_details_pb2.BadRequest(), error_details_pb2.ErrorInfo()
        if detail.Unpack(bad_request):
            violations += [Violation(one.field, one.description, one.reason) for one in bad_request.field_violations]
        elif detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
    message = "; ".join(map(str, violations)) or (
        status.message if status.details else _unexplained(code, status.message, server)
    )
    kind = TunesmithError.by_code.get(code, TunesmithError)
    return kind(message, violations=violations, reason=reason, metadata=metadata, code=code)


def status_of(error: grpc.RpcError) -> status_pb2.Status:
    """The google.rpc.Status of a failed call; made of its code and text where the server sent none."""
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        # A proxy changed the code: believe what it says, for it is what happened to this call.
        status = None
    return status or status_pb2.Status(code=error.code().value[0], message=error.details() or "")


def _unexplained(code: grpc.StatusCode, text: str, server: str) -> str:
    if code is grpc.StatusCode.UNAVAILABLE and any(sign in text for sign in _NOBODY_THERE):
        return f"no Tunesmith server answers at {server}; start one with `make up`, or name the one that is up"
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"the server at {server} is not ready: {text}; try again in a moment, and `tunesmith doctor` says what is missing"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"the server at {server} did not answer in time; try again, and `tunesmith doctor` says what is wrong"
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return f"the server at {server} does not know this call; is it a Tunesmith of this version?"
    return text or f"the server at {server} answered {code.name} and nothing more"
