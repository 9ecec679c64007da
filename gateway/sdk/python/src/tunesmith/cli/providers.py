"""`tunesmith providers`: the backends that jobs run on."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer
from rich.table import Table
from tunesmith.cli import wording
from tunesmith.cli.output import facts, table
from tunesmith.cli.session import Session, command
from tunesmith.config.v1 import method_pb2, model_pb2, optimizations_pb2
from tunesmith.parameter.v1 import parameter_pb2
from tunesmith.provider.v1 import lowering_pb2, provider_pb2
from tunesmith.reference import bounds
from tunesmith.registry.v1 import dataset_pb2

app = typer.Typer(help="The backends that jobs run on.", no_args_is_help=True)


@command(app, "list")
def list_providers(session: Session) -> None:
    """List every provider, with the methods it can train by."""
    response = session.client.providers.list_providers()
    session.output.show(response, lambda: _many(response.providers))


@command(app, "get")
def get_provider(session: Session, id: Annotated[str, typer.Argument(help="The provider: local.")]) -> None:
    """Show what a provider can do, and what it can't."""
    response = session.client.providers.get_provider(id=id)
    session.output.show(response, lambda: _one(response.provider))


def _many(providers: Iterable[provider_pb2.Provider]) -> Table:
    rows = [(one.id, one.display_name, _methods(one.capabilities)) for one in providers]
    return table("ID", "NAME", "METHODS", rows=rows)


def _one(provider: provider_pb2.Provider) -> Table:
    can = provider.capabilities
    return facts(
        [
            ("id", provider.id),
            ("name", provider.display_name),
            ("methods", _methods(can)),
            ("objectives", _choices(method_pb2.TrainingObjective, can.objectives, "TRAINING_OBJECTIVE_")),
            ("precisions", _choices(model_pb2.ModelPrecision, can.precisions, "MODEL_PRECISION_")),
            ("optimizations", _choices(optimizations_pb2.OptimizationFeature, can.optimizations, "OPTIMIZATION_FEATURE_")),
            ("dataset formats", _choices(dataset_pb2.DatasetFormat, can.dataset_formats, "DATASET_FORMAT_")),
            *_ranges(can),
            *_limitations(can),
        ]
    )


def _methods(can: provider_pb2.Capabilities) -> str:
    return _choices(method_pb2.TrainingMethod, can.methods, "TRAINING_METHOD_")


def _choices(enum: Any, values: Iterable[int], prefix: str) -> str:
    return ", ".join(wording.choice(enum, value, prefix) for value in values)


def _ranges(can: provider_pb2.Capabilities) -> Iterator[tuple[str, str]]:
    for one in can.ranges:
        yield "range", f"{one.field_path}: {bounds(parameter_pb2.Parameter(range=one.range))}"


def _limitations(can: provider_pb2.Capabilities) -> Iterator[tuple[str, str]]:
    for one in can.limitations:
        action = wording.choice(lowering_pb2.LoweringAction, one.action, "LOWERING_ACTION_")
        yield action, f"{one.field_path}{f' {one.value}' if one.value else ''}: {one.reason}"
