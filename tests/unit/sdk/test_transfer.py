"""Uploads and downloads of both clients: whole, checked, and nowhere else than where they belong."""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tunesmith import DownloadError, FileInTheWay, InvalidArgument, NotFound
from tunesmith.client.upload import PIECE_BYTES
from tunesmith.job.v1 import artifact_pb2
from tunesmith.registry.v1 import dataset_pb2

from tests.unit.sdk.conftest import Ask, FailingPlane

ADAPTER, CHECKPOINT = artifact_pb2.ARTIFACT_KIND_ADAPTER, artifact_pb2.ARTIFACT_KIND_CHECKPOINT
WEIGHTS = bytes(range(256)) * 50


def add(plane: FailingPlane, path: str, content: bytes, kind: artifact_pb2.ArtifactKind = ADAPTER) -> artifact_pb2.Artifact:
    sha256 = hashlib.sha256(content).hexdigest()
    artifact = artifact_pb2.Artifact(
        id=f"a{len(plane.artifacts)}", job_id="j1", kind=kind, path=path, size_bytes=len(content), sha256=sha256
    )
    plane.artifacts.append(artifact)
    plane.content[artifact.id] = content
    return artifact


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_a_file_goes_up_in_pieces(ask: Ask, plane: FailingPlane, tmp_path: Path) -> None:
    plane.datasets.append(dataset_pb2.Dataset(id="d1"))
    content = WEIGHTS * (2 * PIECE_BYTES // len(WEIGHTS)) + b"rest"
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content)
    sent: list[int] = []
    dataset = await ask(
        lambda client: client.upload_dataset(file, display_name="rows", format="DATASET_FORMAT_TEXT", progress=sent.append)
    )
    assert dataset.id == "d1"
    assert b"".join(request.data.data for request in plane.requests) == content
    first, *others = plane.requests
    assert (first.filename, first.display_name, first.format) == ("rows.jsonl", "rows", dataset_pb2.DATASET_FORMAT_TEXT)
    assert len(first.request_id) == 36
    assert len(others) >= 1
    assert not any(request.filename or request.request_id for request in others)
    assert sent == sorted(sent)
    assert sent[-1] == len(content)


async def test_an_open_file_and_an_empty_one(ask: Ask, plane: FailingPlane, tmp_path: Path) -> None:
    plane.datasets.append(dataset_pb2.Dataset(id="d1"))
    stream = BytesIO(b"")
    await ask(lambda client: client.upload_dataset(stream, filename="a.csv", request_id="mine"))
    assert [(request.filename, request.request_id, request.data.data) for request in plane.requests] == [("a.csv", "mine", b"")]
    assert not stream.closed


async def test_a_format_nobody_knows(ask: Ask, plane: FailingPlane) -> None:
    with pytest.raises(InvalidArgument, match="did you mean DATASET_FORMAT_TEXT"):
        await ask(lambda client: client.upload_dataset(BytesIO(b""), format="TEXT"))


async def test_the_result_comes_down_whole_and_once(ask: Ask, plane: FailingPlane, tmp_path: Path) -> None:
    add(plane, "adapter/adapter_model.safetensors", WEIGHTS)
    add(plane, "adapter/adapter_config.json", b"{}")
    add(plane, "checkpoint-40/model.safetensors", b"x", CHECKPOINT)
    there: list[int] = []
    for _ in range(2):
        written = await ask(lambda client: client.download_artifacts("j1", tmp_path, progress=there.append))
        assert written == [tmp_path / "adapter/adapter_model.safetensors", tmp_path / "adapter/adapter_config.json"]
        assert there[-1] == len(WEIGHTS) + 2
    assert files_below(tmp_path) == {"adapter/adapter_model.safetensors": WEIGHTS, "adapter/adapter_config.json": b"{}"}
    assert [type(request).__name__ for request in plane.requests].count("DownloadArtifactRequest") == 2


@pytest.mark.parametrize("kind", ["ARTIFACT_KIND_CHECKPOINT", CHECKPOINT])
async def test_one_kind(ask: Ask, plane: FailingPlane, tmp_path: Path, kind: Any) -> None:
    add(plane, "adapter/adapter_config.json", b"{}")
    add(plane, "checkpoint-40/model.safetensors", b"x", CHECKPOINT)
    await ask(lambda client: client.download_artifacts("j1", tmp_path, kind))
    assert files_below(tmp_path) == {"checkpoint-40/model.safetensors": b"x"}


async def test_nothing_to_download(ask: Ask, plane: FailingPlane, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="job j1 has no checkpoint yet"):
        await ask(lambda client: client.download_artifacts("j1", tmp_path, "ARTIFACT_KIND_CHECKPOINT"))
    with pytest.raises(InvalidArgument, match="did you mean ARTIFACT_KIND_ADAPTER"):
        await ask(lambda client: client.download_artifacts("j1", tmp_path, "ADAPTER"))


@pytest.mark.parametrize("path", ["../outside", "/etc/outside", "", "a\\..\\outside", "C:/outside"])
async def test_a_path_that_would_leave_the_folder(ask: Ask, plane: FailingPlane, tmp_path: Path, path: str) -> None:
    add(plane, "adapter/fine", b"fine")
    add(plane, path, b"evil")
    with pytest.raises(DownloadError, match="nothing was written"):
        await ask(lambda client: client.download_artifacts("j1", tmp_path / "out"))
    assert files_below(tmp_path) == {}


async def test_a_link_that_leads_out(ask: Ask, plane: FailingPlane, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/adapter").symlink_to(tmp_path / "elsewhere")
    add(plane, "adapter/config.json", b"evil")
    with pytest.raises(DownloadError, match="through a link"):
        await ask(lambda client: client.download_artifacts("j1", tmp_path / "out"))
    assert files_below(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize("content", [b"other bytes!", b"short"])
async def test_other_bytes_than_announced_are_not_kept(ask: Ask, plane: FailingPlane, tmp_path: Path, content: bytes) -> None:
    plane.content[add(plane, "adapter/config.json", b"right bytes.").id] = content
    with pytest.raises(DownloadError, match="not what was announced"):
        await ask(lambda client: client.download_artifacts("j1", tmp_path))
    assert files_below(tmp_path) == {}


async def test_another_file_is_kept_unless_told_otherwise(ask: Ask, plane: FailingPlane, tmp_path: Path) -> None:
    add(plane, "config.json", b"new")
    (tmp_path / "config.json").write_bytes(b"mine")
    with pytest.raises(FileInTheWay):
        await ask(lambda client: client.download_artifacts("j1", tmp_path))
    assert files_below(tmp_path) == {"config.json": b"mine"}
    await ask(lambda client: client.download_artifacts("j1", tmp_path, overwrite=True))
    assert files_below(tmp_path) == {"config.json": b"new"}
