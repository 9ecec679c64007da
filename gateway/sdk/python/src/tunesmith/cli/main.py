"""`tunesmith`: the command line's entry."""

import importlib.metadata
from typing import Annotated

import typer
from tunesmith.cli import adapters, datasets, jobs, models, pools, providers, recipes
from tunesmith.cli.doctor import doctor
from tunesmith.cli.exports import export
from tunesmith.cli.parameters import list_parameters
from tunesmith.cli.preflight import preflight
from tunesmith.cli.session import ServerOption, command

app = typer.Typer(
    name="tunesmith",
    help="Fine-tune models: describe a job once, know before it runs, watch it, and take its result away.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for noun in (models, datasets, recipes, adapters, jobs, pools, providers):
    app.add_typer(noun.app, name=noun.__name__.rpartition(".")[2])
command(app, "preflight")(preflight)
command(app, "export")(export)
command(app, "parameters")(list_parameters)
command(app, "doctor")(doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(importlib.metadata.version("tunesmith"))
        raise typer.Exit


@app.callback()
def tunesmith(
    context: typer.Context,
    server: ServerOption = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Take what may also stand before the noun; each command has --server of its own."""
    context.obj = server


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
