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
from tunesmith.client.errors import TunesmithError

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


class CliError(Exception):
    """What ends a command. Each line is a sentence that ends in what to do next; the hint is what only this command can add."""

    def __init__(self, message: str, exit_code: int = EXIT_FAILED, hint: str | None = None) -> None:
        super().__init__(message)
        self.lines = message.split("\n")
        self.exit_code = exit_code
        self.hint = hint


def explain(error: TunesmithError) -> CliError:
    """A client's error as one sentence a violation."""
    text = "\n".join(map(str, error.violations)) or error.message
    # A service that says what it lacks did answer.
    answered = error.code is grpc.StatusCode.UNAVAILABLE and error.reason != ""
    refusal = CliError(text, EXIT_FAILED if answered else _EXIT_CODES.get(error.code, EXIT_FAILED))
    if refusal.exit_code == EXIT_UNREACHABLE:
        refusal.hint = "--server names another server"
    return refusal
