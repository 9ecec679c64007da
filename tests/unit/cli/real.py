"""A command line in this process, talking to a real registry."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tunesmith.cli.main import app
from tunesmith.client.blocking import Tunesmith
from typer.testing import CliRunner, Result

from tests.fakes.real_registry import real_registry
from tests.unit.services.registry.models import write_model

MODEL = "me/tiny"
Ask = Callable[..., Result]


@contextmanager
def command_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Ask, Tunesmith]]:
    """`tunesmith` beside a registry with a tiny Llama, and a client to look with."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with tempfile.TemporaryDirectory(prefix="tsc-") as folder, real_registry(Path(folder)) as registry:
        environment = {"TUNESMITH_HOST": "127.0.0.1", "TUNESMITH_PORT": str(registry.port)}

        def run(*arguments: str, input: str | None = None) -> Result:
            return CliRunner().invoke(app, arguments, input=input, env=environment)

        with Tunesmith(registry.address) as client:
            client.registry.create_base_model(local_folder=str(write_model(registry.imports / "tiny")), hub_repo=MODEL)
            yield run, client
