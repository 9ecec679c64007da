"""What went wrong, for the person at the terminal and for the script that asks for the exit code.

| code | meaning |
|---|---|
| 0 | done |
| 1 | failed: the server refused, or a watched job failed or was cancelled |
| 2 | the command or its input is wrong |
| 3 | not found |
| 4 | no server answers |
| 130 | Ctrl-C |
"""

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_FOUND = 3
EXIT_UNREACHABLE = 4
EXIT_INTERRUPTED = 130

_EXIT_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: EXIT_USAGE,
    grpc.StatusCode.OUT_OF_RANGE: EXIT_USAGE,
    grpc.StatusCode.NOT_FOUND: EXIT_NOT_FOUND,
    grpc.StatusCode.UNAVAILABLE: EXIT_UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: EXIT_UNREACHABLE,
}
# gRPC's own words when there was nobody to talk to; a gateway whose services are away says something else.
_NOBODY_THERE = ("failed to connect to all addresses", "DNS resolution failed", "resolving", "Connection refused")


class CliError(Exception):
    """What ends a command. Each line is a sentence that ends in what to do next; the hint is what only this command can add."""

    def __init__(self, message: str, exit_code: int = EXIT_FAILED, hint: str | None = None) -> None:
        super().__init__(message)
        self.lines = message.split("\n")
        self.exit_code = exit_code
        self.hint = hint


def explain(error: grpc.RpcError, server: str) -> CliError:
    """A call's error as one sentence a violation."""
    code, status = error.code(), status_of(error)
    lines = [with_path(path, text) for path, text in violations(error)]
    if not lines:
        lines = [status.message if status.details else _unexplained(code, status.message, server)]
    # A service that says what it lacks did answer.
    answered = code is grpc.StatusCode.UNAVAILABLE and len(status.details) > 0
    return CliError("\n".join(lines), EXIT_FAILED if answered else _EXIT_CODES.get(code, EXIT_FAILED))


def violations(error: grpc.RpcError) -> list[tuple[str, str]]:
    """Field paths and what is wrong with each; none if the error is not about fields."""
    found = []
    for detail in status_of(error).details:
        bad_request = error_details_pb2.BadRequest()
        if detail.Unpack(bad_request):
            found += [(violation.field, violation.description) for violation in bad_request.field_violations]
    return found


def reason(error: grpc.RpcError) -> str:
    """The reason that programs tell errors apart by; empty if there is none."""
    for detail in status_of(error).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return ""


def status_of(error: grpc.RpcError) -> status_pb2.Status:
    """The google.rpc.Status of a failed call; made of its code and text where the server sent none."""
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        # A proxy changed the code: believe what it says, for it is what happened to this call.
        status = None
    return status or status_pb2.Status(code=error.code().value[0], message=error.details() or "")


def with_path(path: str, text: str) -> str:
    """A violation as one line; many texts name their field themselves."""
    return text if not path or text.startswith(path) else f"{path}: {text}"


def _unexplained(code: grpc.StatusCode, text: str, server: str) -> str:
    if code is grpc.StatusCode.UNAVAILABLE and any(sign in text for sign in _NOBODY_THERE):
        return f"no Tunesmith server answers at {server}; start one with `make up`, or name another with --server"
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"the server at {server} is not ready: {text}; try again in a moment, and `tunesmith doctor` says what is missing"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"the server at {server} did not answer in time; try again, and `tunesmith doctor` says what is wrong"
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return f"the server at {server} does not know this call; is it a Tunesmith of this version?"
    return text or f"the server at {server} answered {code.name} and nothing more"
