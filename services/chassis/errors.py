"""The errors a service answers with: one small tree, each with a gRPC code and typed details.

Raise one anywhere below an RPC; `calls.py` turns it into google.rpc.Status. Its message is a sentence for a person that ends in
what to do next. Anything else that is raised becomes INTERNAL, is logged with its traceback, and tells the caller nothing more.
"""

from collections.abc import Mapping, Sequence

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "tunesmith"

# An error travels in HTTP/2 headers, its message once as text and once among the details. Clients drop a call whose headers pass
# 8 KiB, and then show RESOURCE_EXHAUSTED instead of the error: twenty bad lines of a dataset once did that.
_MESSAGE_BYTES = 1500
_VIOLATIONS_BYTES = 2500


class ServiceError(Exception):
    """What went wrong, for the caller. Retrying helps only where a subclass says so."""

    code = grpc.StatusCode.UNKNOWN

    def __init__(self, message: str) -> None:
        self.message = _fitting(message)
        super().__init__(self.message)

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
        """`violations` are (field path, sentence with the fix); `rule_ids` the stable ids of their rules, in the same order.

        What does not fit into an answer is left out and counted.
        """
        violations, rule_ids = _fitting_violations(violations, rule_ids or [""] * len(violations))
        shown = "; ".join(f"{path}: {text}" if path and not text.startswith(path) else text for path, text in violations)
        super().__init__(shown)
        self.violations = violations
        self.rule_ids = rule_ids

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


class DeadlineExceeded(ReasonedError):
    """Nobody answered in time. Retry, or go on without."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


def _fitting(message: str) -> str:
    """A message cut to what a header may hold, where all but plain ASCII takes three characters a byte."""
    size = 0
    for index, character in enumerate(message):
        size += 1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode(errors="replace"))
        if size > _MESSAGE_BYTES:
            return f"{message[:index]}…"
    return message


def _fitting_violations(
    violations: Sequence[tuple[str, str]], rule_ids: Sequence[str]
) -> tuple[list[tuple[str, str]], list[str]]:
    kept: list[tuple[str, str]] = []
    size = 0
    for (path, text), rule_id in zip(violations, rule_ids, strict=True):
        text = _fitting(text)
        size += len(f"{path}{text}{rule_id}".encode(errors="replace"))
        if kept and size > _VIOLATIONS_BYTES:
            more = ("", f"and {len(violations) - len(kept)} more; correct these first")
            return [*kept, more], [*rule_ids[: len(kept)], ""]
        kept.append((path, text))
    return kept, list(rule_ids)
