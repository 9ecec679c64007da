"""What the parts are told."""

import tempfile
from pathlib import Path

import pytest

from services.chassis.settings import Settings
from starter.seed import MARK
from supervisor.home import Home, open_home
from supervisor.parts import Part, all_parts, services_address


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    # pytest's folders have long names, and the short ones that a home gets instead should not stay behind.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "TUNESMITH_SERVICES_ADDRESS", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def parts_of(home: Path, **values: object) -> dict[str, Part]:
    return {part.name: part for part in all_parts(Settings(home=home, **values), open_home(home))}


def test_the_parts_in_their_order(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parts = parts_of(tmp_path)
    assert list(parts) == ["services", "gateway", "ray", "agent", "starter", "catalog"]
    assert parts["agent"].after == ("services", "ray")
    assert parts["agent"].bound_to == ("ray",)
    assert [name for name, part in parts.items() if part.once] == ["starter", "catalog"]


def test_every_part_is_told_where_the_others_are(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean.setenv("HF_HUB_OFFLINE", "1")
    home = Home(tmp_path)
    for part in parts_of(tmp_path, worker_port=9001).values():
        assert part.environment["TUNESMITH_HOME"] == str(tmp_path)
        assert part.environment["TUNESMITH_SERVICES_ADDRESS"] == f"unix:{home.services_socket}"
        assert part.environment["TUNESMITH_WORKER_ADDRESS"] == "127.0.0.1:9001"
        assert part.environment["HF_HUB_OFFLINE"] == "1"


def test_the_agent_finds_the_head_that_was_started(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parts = parts_of(tmp_path)
    port = parts["ray"].command[parts["ray"].command.index("--port") + 1]
    assert parts["agent"].environment["RAY_ADDRESS"] == f"127.0.0.1:{port}"
    assert parts["agent"].environment["RAY_AUTH_MODE"] == "token"
    # A head that is told of an address would join it.
    assert "RAY_ADDRESS" not in parts["ray"].environment


def test_a_cluster_of_somebody_elses_is_used_as_it_is(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean.setenv("RAY_ADDRESS", "ray-head:6379")
    parts = parts_of(tmp_path)
    assert list(parts) == ["services", "gateway", "agent", "starter", "catalog"]
    assert parts["agent"].environment["RAY_ADDRESS"] == "ray-head:6379"
    assert "RAY_AUTH_MODE" not in parts["agent"].environment
    assert parts["agent"].bound_to == ()


def test_an_address_that_was_set_is_kept(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean.setenv("TUNESMITH_SERVICES_ADDRESS", "127.0.0.1:50051")
    assert services_address(Settings(home=tmp_path), Home(tmp_path)) == "127.0.0.1:50051"


def test_agents_of_this_machine_use_loopback_when_every_interface_listens(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parts = parts_of(tmp_path, host="0.0.0.0", worker_port=9001)
    assert parts["agent"].environment["TUNESMITH_WORKER_ADDRESS"] == "127.0.0.1:9001"


def test_the_catalogue_is_registered_at_the_first_start_alone(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    part = parts_of(tmp_path, host="0.0.0.0", port=9000)["catalog"]
    assert part.once and not part.is_vital and part.after == ("gateway",)
    assert (part.environment["TUNESMITH_HOST"], part.environment["TUNESMITH_PORT"]) == ("127.0.0.1", "9000")
    assert "catalog" not in parts_of(tmp_path, catalog=False)
    (tmp_path / MARK).touch()
    assert "catalog" not in parts_of(tmp_path)
