"""Inputs are fetched once, checked, and never written anywhere but where they belong."""

import hashlib
from pathlib import Path

import grpc
import pytest
from google.rpc import code_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.errors import FailedPrecondition, ResourceExhausted
from tests.fakes.assignments import ROWS, lora_assignment
from tests.fakes.worker_door import FakeDoor
from workers.cache import Cache
from workers.door import Door, Refused
from workers.inputs import Fetcher, below
from workers.training.inputs import Inputs
from workers.training.sink import Stopped

FILES = {"config.json": b"{}", "sub/weights.safetensors": b"w" * 5000}


class Fetching:
    """Fetches jobs' inputs into one cache, as one worker does."""

    def __init__(self, server: FakeDoor, door: Door, home: Path) -> None:
        self.cache = Cache(home / "cache")
        self.chunks = 0
        self.warnings: list[str] = []
        self._server, self._door, self._home = server, door, home

    def fetch(self, assignment: worker.Assignment) -> Inputs:
        fetcher = Fetcher(self._door, assignment.lease, self.cache, self._count, lambda _: None, self.warnings.append)
        work_folder = self._home / "work" / assignment.lease.job_id
        work_folder.mkdir(parents=True)
        return fetcher.fetch(assignment, work_folder)

    def reads(self) -> int:
        return sum(call.startswith("Read") for call in self._server.calls)

    def _count(self) -> None:
        self.chunks += 1


@pytest.fixture
def fetching(server: FakeDoor, door: Door, tmp_path: Path) -> Fetching:
    return Fetching(server, door, tmp_path)


def test_a_job_finds_its_model_and_rows(server: FakeDoor, fetching: Fetching) -> None:
    assignment = server.take(server.add_job(lora_assignment(), ROWS, b"{}\n", **FILES))
    inputs = fetching.fetch(assignment)
    folder = Path(inputs.base_model)
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    assert folder.is_relative_to(inputs.work_folder)
    assert inputs.revision is None
    assert inputs.training_rows.read_bytes() == ROWS
    assert inputs.validation_rows is not None
    assert inputs.validation_rows.read_bytes() == b"{}\n"
    assert fetching.chunks == 4 + 1 + 1 + 5


def test_a_teacher_is_fetched_beside_the_model_and_its_like_only_once(server: FakeDoor, fetching: Fetching) -> None:
    job = server.add_job(lora_assignment(), ROWS, **FILES)
    job.teach({"config.json": b'{"teacher": 1}', "sub/weights.safetensors": FILES["sub/weights.safetensors"]})
    inputs = fetching.fetch(server.take(job))
    assert inputs.teacher_model is not None
    teacher = Path(inputs.teacher_model)
    assert {path: (teacher / path).read_bytes() for path in FILES} == job.teacher_files
    assert (Path(inputs.base_model) / "config.json").read_bytes() == FILES["config.json"]
    assert teacher.is_relative_to(inputs.work_folder) and inputs.teacher_revision is None
    # Of four files two are the same.
    assert server.calls.count("ReadBaseModelFile") == 3


def test_a_teacher_of_the_hub_is_named_with_its_revision(server: FakeDoor, fetching: Fetching) -> None:
    job = server.add_job(lora_assignment(), ROWS, **FILES)
    job.assignment.teacher_model.hub_repo, job.assignment.teacher_model.revision = "me/sage", "abc"
    inputs = fetching.fetch(server.take(job))
    assert (inputs.teacher_model, inputs.teacher_revision) == ("me/sage", "abc")


def test_a_job_without_a_teacher_has_none(server: FakeDoor, fetching: Fetching) -> None:
    inputs = fetching.fetch(server.take(server.add_job(lora_assignment(), ROWS, **FILES)))
    assert (inputs.teacher_model, inputs.teacher_revision) == (None, None)


def test_the_next_job_fetches_nothing_again(server: FakeDoor, fetching: Fetching) -> None:
    fetching.fetch(server.take(server.add_job(lora_assignment(), ROWS, **FILES)))
    assert fetching.reads() == 3
    inputs = fetching.fetch(server.take(server.add_job(lora_assignment(), ROWS, **FILES)))
    assert fetching.reads() == 3
    assert (Path(inputs.base_model) / "config.json").read_bytes() == b"{}"


def test_a_job_without_validation_rows_has_none(server: FakeDoor, fetching: Fetching) -> None:
    inputs = fetching.fetch(server.take(server.add_job(lora_assignment(), ROWS, **FILES)))
    assert inputs.validation_rows is None


def test_a_file_that_was_cut_short_in_the_cache_is_fetched_again(server: FakeDoor, fetching: Fetching) -> None:
    job = server.add_job(lora_assignment(), ROWS, **FILES)
    rows = fetching.fetch(server.take(job)).training_rows
    rows.chmod(0o644)
    rows.write_bytes(ROWS[:10])
    again = fetching.fetch(server.take(server.add_job(lora_assignment(), ROWS, **FILES))).training_rows
    assert again.read_bytes() == ROWS


def test_a_job_cannot_write_into_the_cache(server: FakeDoor, fetching: Fetching) -> None:
    rows = fetching.fetch(server.take(server.add_job(lora_assignment(), ROWS, **FILES))).training_rows
    assert rows.stat().st_mode & 0o222 == 0


@pytest.mark.parametrize(
    ("announced", "sent", "complaint"),
    [(b"abc", b"abd", "another SHA-256"), (b"abc", b"ab", "2 bytes instead of 3"), (b"abc", b"abcd", "longer than the 3")],
)
def test_bytes_that_are_not_the_announced_ones_are_refused(
    server: FakeDoor, fetching: Fetching, tmp_path: Path, announced: bytes, sent: bytes, complaint: str
) -> None:
    job = server.add_job(lora_assignment(), announced, **FILES)
    job.rows[worker.DATASET_ROLE_TRAINING] = sent
    with pytest.raises(Refused, match=complaint) as refused:
        fetching.fetch(server.take(job))
    assert refused.value.status().code == code_pb2.DATA_LOSS
    assert fetching.cache.find(hashlib.sha256(announced).hexdigest(), len(announced)) is None
    assert list((tmp_path / "cache" / "partial").iterdir()) == []


def test_a_download_that_broke_off_begins_again(server: FakeDoor, fetching: Fetching) -> None:
    server.failures["ReadDataset"] = [grpc.StatusCode.UNAVAILABLE]
    job = server.add_job(lora_assignment(), ROWS, **FILES)
    assert fetching.fetch(server.take(job)).training_rows.read_bytes() == ROWS
    assert fetching.reads() == 4


def test_a_download_stops_when_the_job_does(server: FakeDoor, door: Door, tmp_path: Path) -> None:
    seen: list[int] = []

    def check() -> None:
        seen.append(1)
        if len(seen) == 2:
            raise Stopped(worker.DIRECTIVE_CANCEL)

    assignment = server.take(server.add_job(lora_assignment(), ROWS, **FILES))
    fetcher = Fetcher(door, assignment.lease, Cache(tmp_path / "cache"), check, lambda _: None, lambda _: None)
    with pytest.raises(Stopped):
        fetcher.fetch(assignment, tmp_path)
    assert len(seen) == 2


STATE = {"state.json": b'{"format": 1}', "weights-00001.safetensors": b"w" * 2500}


def test_a_first_attempt_has_no_earlier_one(server: FakeDoor, fetching: Fetching) -> None:
    inputs = fetching.fetch(server.take(server.add_job(lora_assignment(), ROWS, **FILES)))
    assert (inputs.training_state, fetching.warnings) == (None, [])


def test_a_training_state_is_put_below_the_work_folder_only(server: FakeDoor, fetching: Fetching, tmp_path: Path) -> None:
    job = server.add_job(lora_assignment(), ROWS, **FILES)
    job.keep_state(40, STATE)
    inputs = fetching.fetch(server.take(job))
    assert inputs.training_state is not None
    assert {path.name: path.read_bytes() for path in inputs.training_state.iterdir()} == STATE
    assert inputs.training_state.is_relative_to(inputs.work_folder)
    digests = {hashlib.sha256(content).hexdigest() for content in STATE.values()}
    assert digests.isdisjoint(path.name for path in (tmp_path / "cache").rglob("*"))
    assert fetching.warnings == []


def test_a_training_state_that_broke_off_begins_again(server: FakeDoor, fetching: Fetching) -> None:
    server.failures["ReadTrainingStateFile"] = [grpc.StatusCode.UNAVAILABLE]
    job = server.add_job(lora_assignment(), ROWS, **FILES)
    job.keep_state(40, STATE)
    assert fetching.fetch(server.take(job)).training_state is not None
    assert server.calls.count("ReadTrainingStateFile") == 3


@pytest.mark.parametrize("harm", ["changed", "short", "refused", "led astray"])
def test_a_damaged_training_state_is_no_reason_to_fail(server: FakeDoor, fetching: Fetching, tmp_path: Path, harm: str) -> None:
    job = server.add_job(lora_assignment(), ROWS, **FILES)
    job.keep_state(40, STATE)
    if harm == "changed":
        job.state_files["state.json"] = b"[]"
    elif harm == "short":
        job.state_files["weights-00001.safetensors"] = b"w" * 2499
    elif harm == "refused":
        server.failures["ReadTrainingStateFile"] = [grpc.StatusCode.DATA_LOSS]
    else:
        job.assignment.training_state.files[0].path = "../../evil"
        job.state_files["../../evil"] = STATE["state.json"]
    inputs = fetching.fetch(server.take(job))
    assert inputs.training_state is None
    assert fetching.warnings == ["Where the attempt before stood (step 40) is damaged, so this one starts over"]
    assert not any(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    "path",
    ["../evil", "/etc/passwd", "a/../../evil", "..", ".", "", "a//b", "a/", "a\\..\\b", "a\0b", "a\nb", "...", "~/x", "ä"],
)
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(FailedPrecondition, match="no plain relative path"):
        below(tmp_path, path)


@pytest.mark.parametrize("path", ["config.json", "a/b/c-1_2+3.txt", ".gitattributes", "a..b"])
def test_a_plain_path_is_inside(tmp_path: Path, path: str) -> None:
    assert below(tmp_path, path) == tmp_path / path


def test_a_link_in_the_folder_does_not_lead_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "sub").symlink_to(tmp_path)
    with pytest.raises(FailedPrecondition):
        below(tmp_path / "model", "sub/evil")


def test_a_model_with_a_path_that_leads_elsewhere_fetches_nothing(server: FakeDoor, fetching: Fetching, tmp_path: Path) -> None:
    assignment = server.take(server.add_job(lora_assignment(), ROWS, **{"../../../evil": b"x"}))
    with pytest.raises(FailedPrecondition):
        fetching.fetch(assignment)
    assert fetching.reads() == 0
    assert not any(tmp_path.rglob("evil"))


@pytest.mark.parametrize("sha256", ["../../evil", "", "A" * 64, "a" * 63])
def test_a_hash_that_is_none_is_no_place_in_the_cache(tmp_path: Path, sha256: str) -> None:
    with pytest.raises(FailedPrecondition, match="is no SHA-256"):
        Cache(tmp_path).add(sha256, 1, [b"x"], "rows")


def test_a_file_that_the_disk_cannot_hold_is_refused_before_it_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(ResourceExhausted, match="free some in"):
        Cache(tmp_path).add("a" * 64, 2**60, iter(()), "rows")


def test_a_hub_model_is_passed_by_its_name(server: FakeDoor, fetching: Fetching) -> None:
    assignment = lora_assignment()
    assignment.base_model.hub_repo = "org/model-1.5"
    unpinned = fetching.fetch(server.take(server.add_job(assignment, ROWS)))
    assert (unpinned.base_model, unpinned.revision) == ("org/model-1.5", None)
    assignment.base_model.revision = "abc123"
    pinned = fetching.fetch(server.take(server.add_job(assignment, ROWS)))
    assert (pinned.base_model, pinned.revision) == ("org/model-1.5", "abc123")


@pytest.mark.parametrize("name", ["", "/etc", "../model", "a/b/c", "./model"])
def test_a_hub_name_that_is_a_path_is_refused(server: FakeDoor, fetching: Fetching, name: str) -> None:
    assignment = lora_assignment()
    assignment.base_model.hub_repo = name
    with pytest.raises(FailedPrecondition, match="no files and no hub name"):
        fetching.fetch(server.take(server.add_job(assignment, ROWS)))
