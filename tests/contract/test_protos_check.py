"""`protos/check.py` finds what it is there to find."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto

from tests.contract.image import IMAGE

PROTOS = Path(__file__).parents[2] / "protos"
JOB, SERVICE = "tunesmith/job/v1/job.proto", "tunesmith/job/v1/job_service.proto"
# The image as it is has 300 kB; a repository keeps every version of a file for good.
RELEASED_MAX_BYTES = 100_000

Change = Callable[[FileDescriptorSet], None]
Write = Callable[[Change], Path]


@pytest.fixture
def check() -> Iterator[ModuleType]:
    """The module, which is a program beside the protos and no part of a package."""
    sys.path.insert(0, str(PROTOS))
    try:
        import check

        yield check
    finally:
        sys.path.remove(str(PROTOS))
        for name in ("check", "generate"):
            sys.modules.pop(name, None)


@pytest.fixture
def changed(tmp_path: Path) -> Write:
    """Writes the image after a change."""

    def write(change: Change) -> Path:
        files = FileDescriptorSet.FromString(IMAGE.read_bytes())
        change(files)
        path = tmp_path / "changed.binpb"
        path.write_bytes(files.SerializeToString())
        return path

    return write


@pytest.fixture
def released(check: ModuleType, tmp_path: Path) -> Path:
    """The protos of today as the last release."""
    path = tmp_path / "released.binpb"
    path.write_bytes(check.released_form(IMAGE.read_bytes()))
    return path


def test_the_protos_are_in_order(check: ModuleType) -> None:
    assert check.style_problems(IMAGE) == []
    assert check.breaking_changes(IMAGE, check.RELEASED) == []
    assert check.lost_urls(IMAGE, check.RELEASED) == []


def test_a_name_against_the_style_is_found(check: ModuleType, changed: Write) -> None:
    def rename(files: FileDescriptorSet) -> None:
        _field(_message(_file(files, JOB), "Job"), "display_name").name = "displayName"

    [problem] = check.style_problems(changed(rename))
    assert "displayName" in problem


def test_a_removed_field_breaks(check: ModuleType, changed: Write, released: Path) -> None:
    def remove(files: FileDescriptorSet) -> None:
        job = _message(_file(files, JOB), "Job")
        job.field.remove(_field(job, "pool_id"))

    problems = check.breaking_changes(changed(remove), released)
    # Neither its number nor its name was reserved.
    assert len(problems) == 2
    assert all('"pool_id"' in problem and "deleted" in problem for problem in problems)


def test_a_renamed_field_breaks_json(check: ModuleType, changed: Write, released: Path) -> None:
    def rename(files: FileDescriptorSet) -> None:
        field = _field(_message(_file(files, JOB), "Job"), "pool_id")
        field.name, field.json_name = "cluster_id", "clusterId"

    problems = check.breaking_changes(changed(rename), released)
    assert len(problems) >= 1
    assert all("pool_id" in problem or "poolId" in problem for problem in problems)


def test_a_changed_type_breaks(check: ModuleType, changed: Write, released: Path) -> None:
    def retype(files: FileDescriptorSet) -> None:
        _field(_message(_file(files, JOB), "Job"), "attempt").type = 9

    assert len(check.breaking_changes(changed(retype), released)) == 1


def test_an_added_field_breaks_nothing(check: ModuleType, changed: Write, released: Path) -> None:
    def add(files: FileDescriptorSet) -> None:
        _message(_file(files, JOB), "Job").field.add(name="color", json_name="color", number=99, type=9, label=1)

    assert check.breaking_changes(changed(add), released) == []


def test_a_lost_url_and_a_moved_one_are_found(check: ModuleType, changed: Write, released: Path) -> None:
    def move(files: FileDescriptorSet) -> None:
        get, listing = _method(files, "GetJob"), _method(files, "ListJobs")
        get.options.Extensions[annotations_pb2.http].get = "/v1/tasks/{id}"
        listing.options.ClearExtension(annotations_pb2.http)
        _method(files, "CancelJob").options.Extensions[annotations_pb2.http].get = "/v1/jobs"

    problems = check.lost_urls(changed(move), released)
    assert len(problems) == 3
    assert any(problem.startswith("GET /v1/jobs/{id} leads nowhere") for problem in problems)
    assert any(problem.startswith("GET /v1/jobs leads to tunesmith.job.v1.JobService.CancelJob") for problem in problems)


def test_a_second_url_is_kept_as_well(check: ModuleType) -> None:
    urls = check.urls(check.read(check.RELEASED))
    assert urls["GET /v1/base-models/{id=*/*}"] == urls["GET /v1/base-models/{id}"]
    assert len(urls) >= 20


def test_the_release_is_kept_small_and_whole(check: ModuleType) -> None:
    assert check.RELEASED.stat().st_size < RELEASED_MAX_BYTES
    names = [file.name for file in check.read(check.RELEASED).file]
    assert [name for name in names if name.startswith("buf/")] == []
    assert len([name for name in names if name.startswith("tunesmith/")]) >= 25


def _file(files: FileDescriptorSet, name: str) -> FileDescriptorProto:
    return next(file for file in files.file if file.name == name)


def _message(file: FileDescriptorProto, name: str) -> DescriptorProto:
    return next(message for message in file.message_type if message.name == name)


def _field(message: DescriptorProto, name: str) -> descriptor_pb2.FieldDescriptorProto:
    return next(field for field in message.field if field.name == name)


def _method(files: FileDescriptorSet, name: str) -> MethodDescriptorProto:
    return next(method for method in _file(files, SERVICE).service[0].method if method.name == name)
