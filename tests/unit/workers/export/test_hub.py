"""Pushing to a hub: what arrives there, under whose token, and what a person is told when it fails."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from huggingface_hub import constants
from tunesmith.config.v1 import integrations_pb2

from services.chassis.errors import ReasonedError
from tests.fakes.hub_pushes import FakePushHub, push_hub
from workers.export.hub import push
from workers.providers.credentials import is_token_variable

TOKEN = "hf_test_0123456789"
CARD = "---\nbase_model: 0192f0c1\ndatasets:\n- my rows\ntags:\n- tunesmith\n---\n\n# tuned\n"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePushHub]:
    # Large files by HTTP, as HF_HUB_DISABLE_XET has it: the other way needs servers of its own.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with push_hub(TOKEN) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    (folder / "inner").mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "inner" / "weights.safetensors").write_bytes(b"w" * 10_000)
    return folder


def integration(**fields: str) -> integrations_pb2.HuggingFaceIntegration:
    return integrations_pb2.HuggingFaceIntegration(output_repo_name="me/tuned", **fields)


def test_all_files_arrive_in_one_commit_in_a_private_repository(hub: FakePushHub, folder: Path) -> None:
    assert push(folder, integration(), {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN}) == f"{hub.url}/me/tuned"
    pushed = hub.repositories["me/tuned"]
    assert pushed.private
    assert set(pushed.files) == {"README.md", "adapter_config.json", "inner/weights.safetensors"}
    assert pushed.files["inner/weights.safetensors"] == b"w" * 10_000
    assert pushed.messages == ["Upload from Tunesmith"]


def test_the_card_loses_names_that_mean_nothing_there(hub: FakePushHub, folder: Path) -> None:
    push(folder, integration(), {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN})
    card = hub.repositories["me/tuned"].files["README.md"].decode()
    assert card == "---\ntags:\n- tunesmith\n---\n\n# tuned\n"
    (folder / "README.md").write_text(CARD.replace("0192f0c1", "org/base").replace("my rows", "org/rows"))
    push(folder, integration(), {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN})
    card = hub.repositories["me/tuned"].files["README.md"].decode()
    assert "base_model: org/base" in card and "- org/rows" in card


def test_a_repository_that_is_there_is_pushed_to_again(hub: FakePushHub, folder: Path) -> None:
    environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN}
    push(folder, integration(), environment)
    (folder / "adapter_config.json").write_text('{"r": 8}')
    push(folder, integration(), environment)
    assert hub.repositories["me/tuned"].files["adapter_config.json"] == b'{"r": 8}'
    assert len(hub.repositories["me/tuned"].messages) == 2


def test_a_credential_is_the_name_of_a_variable(hub: FakePushHub, folder: Path) -> None:
    environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "another", "TEAM_TOKEN": TOKEN}
    push(folder, integration(credential_id="TEAM_TOKEN"), environment)
    assert "me/tuned" in hub.repositories
    assert [is_token_variable(name) for name in ("HF_TOKEN", "PATH", "hf_TOKEN", "X_TOKEN; rm", "_TOKEN")] == [True] + [False] * 4


FAILURES = {
    "no token": ({"HF_TOKEN": None}, {}, {}, "CREDENTIAL_UNSET", "no token in the environment variable HF_TOKEN"),
    "no variable of that kind": ({"PATH": "x"}, {}, {"credential_id": "PATH"}, "CREDENTIAL_NAME", "ends in _TOKEN"),
    "offline": ({"HF_HUB_OFFLINE": "1"}, {}, {}, "HUB_OFFLINE", "HF_HUB_OFFLINE is set"),
    "a wrong token": ({"HF_TOKEN": "hf_wrong"}, {}, {}, "HUB_REFUSED", r"does not let the token in HF_TOKEN write.*401"),
    "no right to make it": ({}, {"/create": 403}, {}, "HUB_REFUSED", r"write to me/tuned.*403"),
    "no right to commit": ({}, {"/commit/main": 403}, {}, "HUB_REFUSED", r"write to me/tuned.*403"),
    "no room": ({}, {"/create": 402}, {}, "HUB_FULL", "no room left"),
    "in trouble": ({}, {"/commit/main": 500}, {}, "HUB_UNREACHABLE", "status 500"),
    "a name it refuses": ({}, {"/create": 400}, {}, "HUB_REFUSED", "status 400"),
    "nobody there": ({"HF_ENDPOINT": "http://127.0.0.1:9"}, {}, {}, "HUB_UNREACHABLE", "can't be reached"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_says_what_to_do_and_nothing_secret(hub: FakePushHub, folder: Path, case: str) -> None:
    environment, statuses, fields, reason, text = FAILURES[case]
    hub.statuses = statuses
    given = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, **environment}
    with pytest.raises(ReasonedError, match=text) as caught:
        push(folder, integration(**fields), {name: value for name, value in given.items() if value is not None})
    assert caught.value.reason == reason
    assert TOKEN not in caught.value.message and "hf_wrong" not in caught.value.message
    assert (caught.value.code is grpc.StatusCode.UNAVAILABLE) == (reason in ("HUB_UNREACHABLE", "HUB_OFFLINE"))
    assert not hub.repositories.get("me/tuned") or not hub.repositories["me/tuned"].files
