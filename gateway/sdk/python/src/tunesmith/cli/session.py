"""What every command has in common: `--server`, `--output`, a connection, and errors that end in an exit code."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer
from tunesmith.cli.errors import EXIT_INTERRUPTED, CliError, explain
from tunesmith.cli.output import Format, Output
from tunesmith.client.blocking import Tunesmith
from tunesmith.client.errors import TunesmithError

ServerOption = Annotated[
    str | None,
    typer.Option("--server", help="The server, as host:port. Unset: TUNESMITH_HOST and TUNESMITH_PORT.", show_default=False),
]
OutputOption = Annotated[Format, typer.Option("--output", "-o", help="What to print on standard output.")]


class Session:
    """One run of a command: a client of the server, and somewhere to print."""

    def __init__(self, server: str | None, output: Output) -> None:
        self.output = output
        self.client = Tunesmith(server)


def command(app: typer.Typer, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a command. It gets a Session first; --server and --output are added to its own options."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(context: typer.Context, server: str | None, output: Format, **arguments: Any) -> None:
            printer = Output(output)
            try:
                _call(function, server or context.obj, printer, arguments)
            except CliError as error:
                for line in error.lines:
                    printer.note(f"error: {line}", style="red")
                if error.hint:
                    printer.note(error.hint)
                raise typer.Exit(error.exit_code) from None
            except KeyboardInterrupt:
                raise typer.Exit(EXIT_INTERRUPTED) from None

        keyword = inspect.Parameter.KEYWORD_ONLY
        own = [parameter.replace(kind=keyword) for parameter in list(inspect.signature(function).parameters.values())[1:]]
        # What typer reads instead of run's own signature.
        run.__signature__ = inspect.Signature([*_shared_before(), *own, *_shared_after()])  # type: ignore[attr-defined]
        app.command(name)(run)
        return function

    return register


def _call(function: Callable[..., None], server: str | None, output: Output, arguments: dict[str, Any]) -> None:
    try:
        session = Session(server, output)
        with session.client:
            function(session, **arguments)
    except TunesmithError as error:
        raise explain(error) from None


def _shared_before() -> list[inspect.Parameter]:
    return [inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]


def _shared_after() -> list[inspect.Parameter]:
    keyword = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter("server", keyword, default=None, annotation=ServerOption),
        inspect.Parameter("output", keyword, default=Format.TABLE, annotation=OutputOption),
    ]
