"""A folder arrives whole, with the hashes it was announced with, or the caller hears why."""

from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from tunesmith.job.v1 import artifact_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.errors import FailedPrecondition
from tests.fakes.assignments import ROWS, lora_assignment
from tests.fakes.worker_door import FakeDoor, FakeJob
from workers.door import Door, LeaseLost, Refused
from workers.upload import CHUNK_BYTES, store

Store = Callable[[Path], None]


@pytest.fixture
def job(server: FakeDoor) -> FakeJob:
    job = server.add_job(lora_assignment(), ROWS)
    server.take(job)
    return job


@pytest.fixture
def put(door: Door, job: FakeJob) -> Store:
    header = worker.ArtifactSetHeader(lease=job.assignment.lease, kind=artifact_pb2.ARTIFACT_KIND_ADAPTER, name="adapter", step=3)
    return lambda folder: store(door, header, folder, lambda _: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "weights.safetensors").write_bytes(bytes(range(256)) * (CHUNK_BYTES // 100))
    (tmp_path / "sub" / "README.md").write_text("# card")
    (tmp_path / "empty.txt").touch()
    return tmp_path


def test_a_folder_is_stored_whole(job: FakeJob, put: Store, folder: Path) -> None:
    put(folder)
    assert job.artifacts == {
        "adapter": {
            "empty.txt": b"",
            "sub/README.md": b"# card",
            "weights.safetensors": (folder / "weights.safetensors").read_bytes(),
        }
    }
    assert list(job.artifacts["adapter"]) == sorted(job.artifacts["adapter"])


def test_an_upload_that_broke_off_begins_again(server: FakeDoor, job: FakeJob, put: Store, folder: Path) -> None:
    server.failures["WriteArtifactSet"] = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL]
    server.lost_answers["WriteArtifactSet"] = 1
    put(folder)
    assert len(job.artifacts["adapter"]) == 3
    assert server.calls.count("WriteArtifactSet") == 4


def test_an_upload_after_the_lease_was_lost_is_not_stored(server: FakeDoor, job: FakeJob, put: Store, folder: Path) -> None:
    server.fence(job)
    with pytest.raises(LeaseLost):
        put(folder)
    job.assignment.lease.epoch -= 1
    assert job.artifacts == {}


def test_a_refusal_is_final(server: FakeDoor, job: FakeJob, put: Store, folder: Path) -> None:
    server.failures["WriteArtifactSet"] = [grpc.StatusCode.RESOURCE_EXHAUSTED]
    with pytest.raises(Refused, match="because the test says so"):
        put(folder)
    assert server.calls.count("WriteArtifactSet") == 1


def test_a_file_that_goes_away_while_it_is_sent_is_an_error_of_its_own(
    server: FakeDoor, door: Door, job: FakeJob, folder: Path
) -> None:
    server.failures["WriteArtifactSet"] = [grpc.StatusCode.UNAVAILABLE]
    header = worker.ArtifactSetHeader(lease=job.assignment.lease, kind=artifact_pb2.ARTIFACT_KIND_ADAPTER, name="adapter")
    with pytest.raises(FileNotFoundError):
        store(door, header, folder, lambda _: (folder / "sub" / "README.md").unlink())
    assert job.artifacts == {}


def test_a_result_without_files_is_no_result(put: Store, tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="adapter has no files"):
        put(tmp_path)


@pytest.mark.parametrize("name", [".hidden", "with space", "ünicode"])
def test_a_name_that_cannot_be_stored_is_named(put: Store, tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(FailedPrecondition, match=name):
        put(tmp_path)


def test_a_link_is_not_followed(put: Store, tmp_path: Path) -> None:
    (tmp_path / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(FailedPrecondition, match="is a link"):
        put(tmp_path)
