"""A command line in this process, talking to a fake control plane over real gRPC."""

from collections.abc import Callable, Iterator

import pytest
from tunesmith.cli.main import app
from typer.testing import CliRunner, Result

from tests.fakes.control_plane import FakeControlPlane

Run = Callable[..., Result]


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A control plane on a free port."""
    plane = FakeControlPlane()
    plane.start()
    yield plane
    plane.stop()


@pytest.fixture
def run(plane: FakeControlPlane) -> Run:
    """Runs `tunesmith` with these arguments against it."""

    def invoke(*arguments: str, input: str | None = None) -> Result:
        environment = {"TUNESMITH_HOST": "127.0.0.1", "TUNESMITH_PORT": str(plane.port)}
        return CliRunner().invoke(app, arguments, input=input, env=environment)

    return invoke
