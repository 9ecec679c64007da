"""`tunesmith models`."""

import json
from pathlib import Path

import pytest
import yaml
from tunesmith.registry.v1 import base_model_pb2

from tests.fakes.control_plane import FakeControlPlane
from tests.unit.cli.conftest import Run

ID = "0192f0c1-7d3a-7a4b-8c7d-2f1e0a9b8c7d"


@pytest.fixture
def model(plane: FakeControlPlane) -> base_model_pb2.BaseModel:
    model = base_model_pb2.BaseModel(
        id=ID,
        hub_repo="tunesmith/pico",
        display_name="pico [bold]\x1b[2J",
        family="llama",
        parameter_count=2_400_000,
        size_bytes=9_600_000,
        cache_status=base_model_pb2.CACHE_STATUS_CACHED,
    )
    plane.base_models.append(model)
    return model


def test_a_folder_is_imported_by_its_absolute_path(
    run: Run, plane: FakeControlPlane, model: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pico").mkdir()
    monkeypatch.chdir(tmp_path)
    result = run("models", "import", "pico", "--name", "tunesmith/pico", "--display-name", "Pico")
    assert result.exit_code == 0
    [request] = plane.requests
    assert request.local_folder == str(tmp_path / "pico")
    assert (request.hub_repo, request.display_name) == ("tunesmith/pico", "Pico")
    assert not request.HasField("hub")
    assert request.request_id


def test_a_hub_name_is_imported_at_its_revision(run: Run, plane: FakeControlPlane, model: object) -> None:
    assert run("models", "import", "organisation/model", "--revision", "v1").exit_code == 0
    [request] = plane.requests
    assert (request.hub.repo, request.hub.revision) == ("organisation/model", "v1")


def test_an_artifact_is_imported_by_its_id(run: Run, plane: FakeControlPlane, model: object) -> None:
    assert run("models", "import", f"artifact:{ID}").exit_code == 0
    [request] = plane.requests
    assert request.artifact_id == ID


def test_a_folder_has_no_revision(run: Run, plane: FakeControlPlane, tmp_path: Path) -> None:
    result = run("models", "import", str(tmp_path), "--revision", "v1")
    assert result.exit_code == 2
    assert "--revision" in result.stderr
    assert plane.requests == []


def test_what_is_neither_folder_nor_hub_name(run: Run, plane: FakeControlPlane) -> None:
    result = run("models", "import", "./not/there")
    assert result.exit_code == 2
    assert "no folder here" in result.stderr
    assert plane.requests == []


def test_a_table_has_whole_ids_and_no_control_characters(run: Run, model: base_model_pb2.BaseModel) -> None:
    model.hub_repo = ""
    result = run("models", "list")
    header, line = result.stdout.splitlines()
    assert header.split() == ["ID", "NAME", "FAMILY", "PARAMETERS", "CONTEXT", "STAGE", "WEIGHTS", "LICENSE", "PROFILE"]
    assert line.startswith(f"{ID}  pico [bold][2J")
    assert line.split("[2J")[1].split() == ["llama", "2.4", "M", "cached,", "9.6", "MB"]


def test_json_and_yaml_are_the_api_s_answer(run: Run, model: object) -> None:
    as_json = json.loads(run("models", "list", "-o", "json").stdout)
    as_yaml = yaml.safe_load(run("models", "list", "-o", "yaml").stdout)
    assert as_json == as_yaml
    [shown] = as_json["base_models"]
    assert shown["parameter_count"] == "2400000"
    assert shown["cache_status"] == "CACHE_STATUS_CACHED"
    assert shown["trainable"] is False


def test_json_escapes_what_a_terminal_would_act_on(run: Run, model: base_model_pb2.BaseModel) -> None:
    model.display_name = "\x9b2J \u202e größer"
    text = run("models", "list", "-o", "json").stdout
    assert "\\u009b2J \\u202e größer" in text
    assert "\x9b" not in run("models", "list", "-o", "yaml").stdout


def test_more_than_the_limit_is_said_on_standard_error(run: Run, plane: FakeControlPlane) -> None:
    plane.base_models += [base_model_pb2.BaseModel(id=f"m{index}") for index in range(450)]
    result = run("models", "list", "--limit", "401", "-o", "json")
    assert [model["id"] for model in json.loads(result.stdout)["base_models"]] == [f"m{index}" for index in range(401)]
    assert "--limit" in result.stderr
    assert [request.page_size for request in plane.requests] == [200, 200, 1]


def test_all_of_them_is_said_nothing_of(run: Run, model: object) -> None:
    assert run("models", "list").stderr == ""


def test_one_model(run: Run, plane: FakeControlPlane, model: object) -> None:
    result = run("models", "get", "tunesmith/pico")
    assert plane.requests[0].id == "tunesmith/pico"
    assert "2,400,000" in result.stdout
    assert ID in result.stdout


def test_an_empty_list_says_how_to_fill_it_and_is_still_data(run: Run) -> None:
    result = run("models", "list", "-o", "json")
    assert json.loads(result.stdout)["base_models"] == []
    assert "tunesmith models import" in result.stderr


@pytest.fixture
def llama(plane: FakeControlPlane) -> base_model_pb2.BaseModel:
    model = base_model_pb2.BaseModel(
        id=ID,
        hub_repo="meta-llama/Llama-3.2-3B",
        family="llama",
        parameter_count=3_212_749_824,
        cache_status=base_model_pb2.CACHE_STATUS_NOT_CACHED,
        stage=base_model_pb2.STAGE_PRETRAINED,
        license="llama3.2",
        private=True,
        download_bytes=6_425_499_648,
        estimated_download_seconds=257.0,
        profile_status=base_model_pb2.PROFILE_STATUS_READY,
    )
    model.architecture.max_position_count = 131_072
    plane.base_models.append(model)
    return model


def test_what_a_download_takes_is_in_the_list(run: Run, llama: object) -> None:
    _, line = run("models", "list").stdout.splitlines()
    words = " ".join(line.split())
    assert words == f"{ID} meta-llama/Llama-3.2-3B llama 3.21 B 131,072 pretrained not cached, 6.43 GB, 4 min 17 s llama3.2 ready"


def test_a_list_is_filtered(run: Run, plane: FakeControlPlane, llama: object) -> None:
    options = (
        "--family",
        "llama",
        "--stage",
        "instruct",
        "--lifecycle",
        "production",
        "--not-trainable",
        "--modality",
        "vision-text",
    )
    assert run("models", "list", *options, "--search", "3.2").exit_code == 0
    [request] = plane.requests
    assert (request.family, request.search, request.HasField("trainable"), request.trainable) == ("llama", "3.2", True, False)
    assert (request.stage, request.lifecycle) == (base_model_pb2.STAGE_INSTRUCT, base_model_pb2.LIFECYCLE_PRODUCTION)
    assert request.modality == base_model_pb2.MODALITY_VISION_TEXT
    assert "did you mean instruct" in run("models", "list", "--stage", "instrukt").stderr


def test_a_model_is_added_with_its_credential(run: Run, plane: FakeControlPlane, llama: object) -> None:
    result = run("models", "add", "--hub", "meta-llama/Llama-3.2-3B", "--credential", "HF_TOKEN", "--stage", "instruct")
    assert result.exit_code == 0
    [request] = plane.requests
    assert (request.hub.repo, request.hub.credential_id, request.hub.private) == ("meta-llama/Llama-3.2-3B", "HF_TOKEN", True)
    assert request.stage == base_model_pb2.STAGE_INSTRUCT
    assert run("models", "add", "--hub", "a/b").exit_code == 0
    assert (plane.requests[1].hub.credential_id, plane.requests[1].hub.private) == ("", False)


def test_a_private_model_says_what_it_wants(run: Run, llama: base_model_pb2.BaseModel) -> None:
    assert "update --credential" in run("models", "show", llama.hub_repo).stdout
    llama.credential_id = "HF_TOKEN"
    assert "read with HF_TOKEN" in run("models", "show", llama.hub_repo).stdout


def test_a_download_is_watched_to_its_end(run: Run, plane: FakeControlPlane, llama: base_model_pb2.BaseModel) -> None:
    plane.download_steps = [0.3, 0.7, 1.0]
    result = run("models", "download", llama.hub_repo, "--watch")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == ["1.93 GB of 6.43 GB, 1 min 10 s left", "4.5 GB of 6.43 GB, 1 min 10 s left"]
    assert "cached" in result.stdout
    assert [type(request).__name__ for request in plane.requests][:2] == ["GetBaseModelRequest", "DownloadBaseModelRequest"]
    assert plane.requests[1].id == ID


def test_a_download_that_fails_says_why(run: Run, plane: FakeControlPlane, llama: base_model_pb2.BaseModel) -> None:
    plane.download_steps = [0.5, None]
    result = run("models", "download", ID, "--watch")
    assert result.exit_code == 1
    assert "was not downloaded: the hub went away; ask again" in result.stderr


def test_what_people_say_is_changed(run: Run, plane: FakeControlPlane, llama: object) -> None:
    options = ("--lifecycle", "production", "--license", "mit", "--credential", "", "--no-chat-template")
    assert run("models", "update", ID, *options).exit_code == 0
    [request] = plane.requests
    assert (request.id, request.lifecycle, request.license) == (ID, base_model_pb2.LIFECYCLE_PRODUCTION, "mit")
    assert request.HasField("credential_id") and request.credential_id == ""
    assert request.HasField("has_chat_template") and not request.has_chat_template
    assert not request.HasField("display_name") and not request.HasField("private")
    result = run("models", "update", ID)
    assert result.exit_code == 2 and "nothing to change" in result.stderr and len(plane.requests) == 1


def test_a_model_is_taken_off_the_list(run: Run, plane: FakeControlPlane, llama: base_model_pb2.BaseModel) -> None:
    result = run("models", "delete", llama.hub_repo)
    assert result.exit_code == 0 and "jobs that were created with it go on" in result.stderr
    assert plane.requests[1].id == ID
