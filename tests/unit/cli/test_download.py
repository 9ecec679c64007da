"""`tunesmith jobs download`: below its folder, and byte for byte."""

import hashlib
from pathlib import Path

import pytest
from tunesmith.job.v1 import artifact_pb2

from tests.fakes.control_plane import FakeControlPlane
from tests.unit.cli.conftest import Run

ID = "j1"
ADAPTER, CHECKPOINT = artifact_pb2.ARTIFACT_KIND_ADAPTER, artifact_pb2.ARTIFACT_KIND_CHECKPOINT


def add(plane: FakeControlPlane, path: str, content: bytes, kind: artifact_pb2.ArtifactKind = ADAPTER) -> artifact_pb2.Artifact:
    artifact = artifact_pb2.Artifact(id=f"a{len(plane.artifacts)}", job_id=ID, kind=kind, path=path, size_bytes=len(content))
    artifact.sha256 = hashlib.sha256(content).hexdigest()
    plane.artifacts.append(artifact)
    plane.content[artifact.id] = content
    return artifact


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_result_and_not_the_checkpoints(run: Run, plane: FakeControlPlane, tmp_path: Path) -> None:
    weights = bytes(range(256)) * 50
    add(plane, "adapter/adapter_model.safetensors", weights)
    add(plane, "adapter/adapter_config.json", b"{}")
    add(plane, "checkpoint-40/model.safetensors", b"x", CHECKPOINT)
    result = run("jobs", "download", ID, "--to", str(tmp_path / "out"))
    assert result.exit_code == 0
    assert files_below(tmp_path / "out") == {"adapter/adapter_model.safetensors": weights, "adapter/adapter_config.json": b"{}"}
    assert str(tmp_path / "out/adapter/adapter_config.json") in result.stdout


def test_checkpoints_when_asked_for(run: Run, plane: FakeControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    add(plane, "adapter/adapter_config.json", b"{}")
    add(plane, "checkpoint-40/model.safetensors", b"x", CHECKPOINT)
    assert run("jobs", "download", ID, "--kind", "checkpoint").exit_code == 0
    assert files_below(tmp_path) == {"j1/checkpoint-40/model.safetensors": b"x"}


def test_nothing_to_download(run: Run) -> None:
    result = run("jobs", "download", ID)
    assert result.exit_code == 3
    assert "tunesmith jobs artifacts j1" in result.stderr


def test_a_kind_nobody_knows(run: Run, plane: FakeControlPlane) -> None:
    result = run("jobs", "download", ID, "--kind", "adaptor")
    assert result.exit_code == 2
    assert "did you mean adapter?" in result.stderr


@pytest.mark.parametrize(
    "path", ["../outside", "adapter/../../outside", "/etc/outside", "", "a\\..\\outside", "C:/outside", "a/\0b"]
)
def test_a_path_that_would_leave_the_folder(run: Run, plane: FakeControlPlane, tmp_path: Path, path: str) -> None:
    add(plane, "adapter/fine", b"fine")
    add(plane, path, b"evil")
    result = run("jobs", "download", ID, "--to", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "nothing was written" in result.stderr
    assert files_below(tmp_path) == {}


def test_a_link_that_leads_out_of_the_folder(run: Run, plane: FakeControlPlane, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/adapter").symlink_to(tmp_path / "elsewhere")
    add(plane, "adapter/config.json", b"evil")
    result = run("jobs", "download", ID, "--to", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert files_below(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize("content", [b"other bytes!", b"short"])
def test_bytes_that_are_not_those_announced_are_not_kept(
    run: Run, plane: FakeControlPlane, tmp_path: Path, content: bytes
) -> None:
    artifact = add(plane, "adapter/config.json", b"right bytes.")
    plane.content[artifact.id] = content
    result = run("jobs", "download", ID, "--to", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "not what was announced" in result.stderr
    assert files_below(tmp_path) == {}


def test_what_is_there_already_is_not_fetched_again(run: Run, plane: FakeControlPlane, tmp_path: Path) -> None:
    add(plane, "adapter/config.json", b"{}")
    assert run("jobs", "download", ID, "--to", str(tmp_path)).exit_code == 0
    assert run("jobs", "download", ID, "--to", str(tmp_path)).exit_code == 0
    assert [type(request).__name__ for request in plane.requests].count("DownloadArtifactRequest") == 1


def test_another_file_in_its_place_is_kept_unless_told_otherwise(run: Run, plane: FakeControlPlane, tmp_path: Path) -> None:
    add(plane, "adapter/config.json", b"new")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter/config.json").write_bytes(b"mine")
    result = run("jobs", "download", ID, "--to", str(tmp_path))
    assert result.exit_code == 1
    assert "--overwrite" in result.stderr
    assert files_below(tmp_path) == {"adapter/config.json": b"mine"}
    assert run("jobs", "download", ID, "--to", str(tmp_path), "--overwrite").exit_code == 0
    assert files_below(tmp_path) == {"adapter/config.json": b"new"}
