"""The errors a service answers with: one small tree, each with a gRPC code and typed details.

Raise one anywhere below an RPC; `calls.py` turns it into google.rpc.Status. Its message is a sentence for a person that ends in
what to do next. Anything else that is raised becomes INTERNAL, is logged with its traceback, and tells the caller nothing more.
"""

from collections.abc import Mapping, Sequence

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "tunesmith"


class ServiceError(Exception):
    """What went wrong, for the caller. Retrying helps only where a subclass says so."""

    code = grpc.StatusCode.UNKNOWN

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def details(self) -> list[Message]:
        """Typed messages for programs."""
        return []

    def status(self) -> status_pb2.Status:
        """The error as it goes over the wire."""
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        for detail in self.details():
            status.details.add().Pack(detail)
        return status


class InvalidArgument(ServiceError):
    """The request is wrong, whatever the server's state. Do not retry; change the named fields."""

    code = grpc.StatusCode.INVALID_ARGUMENT

    def __init__(self, violations: Sequence[tuple[str, str]], rule_ids: Sequence[str] = ()) -> None:
        """`violations` are (field path, sentence with the fix); `rule_ids` the stable ids of their rules, in the same order."""
        shown = "; ".join(f"{path}: {text}" if path and not text.startswith(path) else text for path, text in violations)
        super().__init__(shown)
        self.violations = list(violations)
        self.rule_ids = list(rule_ids) or [""] * len(self.violations)

    def details(self) -> list[Message]:
        bad_request = error_details_pb2.BadRequest()
        for (path, text), rule_id in zip(self.violations, self.rule_ids, strict=True):
            bad_request.field_violations.add(field=path, description=text, reason=rule_id)
        return [bad_request]


class NotFound(ServiceError):
    """A resource is not there. Do not retry; list what there is."""

    code = grpc.StatusCode.NOT_FOUND

    def __init__(self, noun: str, name: str, fix: str) -> None:
        super().__init__(f"{noun} {name!r} does not exist; {fix}")
        self._info = error_details_pb2.ResourceInfo(resource_type=noun, resource_name=name, description=fix)

    def details(self) -> list[Message]:
        return [self._info]


class ReasonedError(ServiceError):
    """An error with a reason that programs can tell apart."""

    def __init__(self, reason: str, message: str, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self._metadata = dict(metadata or {})

    def details(self) -> list[Message]:
        return [error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self._metadata)]


class AlreadyExists(ReasonedError):
    """Something of that name is there with other content. Do not retry."""

    code = grpc.StatusCode.ALREADY_EXISTS


class FailedPrecondition(ReasonedError):
    """The resource's state does not allow it. Retry when the state has changed."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Aborted(ReasonedError):
    """Somebody else holds what the caller believed to hold. A worker stops on LEASE_LOST."""

    code = grpc.StatusCode.ABORTED


class ResourceExhausted(ReasonedError):
    """A limit was passed. Retry with less."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unavailable(ReasonedError):
    """Something the service needs is away. Retry."""

    code = grpc.StatusCode.UNAVAILABLE
