"""A job's inputs, brought to this machine and put where a recipe finds them."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.errors import FailedPrecondition
from workers.cache import Cache
from workers.door import Door, Refused, persistently
from workers.export.inputs import ADAPTER_CONFIG, ExportInputs
from workers.training.inputs import Inputs

# What may stand between the slashes of a file's path. A worker writes where the path points, so it relies on nobody's check.
_PATH_PART = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+\-]*")
# A name that is no path on this machine: from_pretrained would load a folder of that name instead.
_HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*(/[A-Za-z0-9][A-Za-z0-9_.\-]*)?")

MODEL_FOLDER = "base-model"
TEACHER_FOLDER = "teacher-model"
STATE_FOLDER = "earlier-state"
SOURCE_FOLDER = "export-source"

log = structlog.get_logger()


class Fetcher:
    """Brings the inputs of one attempt.

    `check` is asked after every chunk and `pause` waits while the door is away; either raises to stop. `warn` is told what a
    person should know.
    """

    def __init__(
        self,
        door: Door,
        lease: worker.LeaseToken,
        cache: Cache,
        check: Callable[[], None],
        pause: Callable[[float], None],
        warn: Callable[[str], None],
    ) -> None:
        self._door = door
        self._lease = lease
        self._cache = cache
        self._check = check
        self._pause = pause
        self._warn = warn

    def fetch(self, assignment: worker.Assignment, work_folder: Path) -> Inputs:
        """Everything the job trains on. Raises Refused if the service sends something else than it announced."""
        base_model, revision = self._model(assignment.base_model, work_folder / MODEL_FOLDER, worker.MODEL_ROLE_BASE)
        teacher, teacher_revision = None, None
        if assignment.HasField("teacher_model"):
            folder = work_folder / TEACHER_FOLDER
            teacher, teacher_revision = self._model(assignment.teacher_model, folder, worker.MODEL_ROLE_TEACHER)
        training = self._rows(assignment.training_dataset, worker.DATASET_ROLE_TRAINING)
        validation = None
        if assignment.HasField("validation_dataset"):
            validation = self._rows(assignment.validation_dataset, worker.DATASET_ROLE_VALIDATION)
        earlier = self._earlier_state(assignment, work_folder)
        return Inputs(
            base_model,
            revision,
            training,
            validation,
            work_folder,
            earlier,
            teacher_model=teacher,
            teacher_revision=teacher_revision,
        )

    def fetch_export(self, assignment: worker.Assignment, work_folder: Path) -> ExportInputs:
        """Everything an export is made from; the base model only if the source is none by itself."""
        source, folder = assignment.export_source, work_folder / SOURCE_FOLDER
        for file in source.files:
            link = below(folder, file.path)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(self._source_file(file), link.parent))
        if all(file.path != ADAPTER_CONFIG for file in source.files):
            return ExportInputs(None, None, folder, work_folder)
        base_model, revision = self._model(assignment.base_model, work_folder / MODEL_FOLDER, worker.MODEL_ROLE_BASE)
        return ExportInputs(base_model, revision, folder, work_folder)

    def _source_file(self, file: worker.ArtifactFile) -> Path:
        request = worker.ReadExportSourceFileRequest(lease=self._lease, path=file.path)
        return self._file(
            file.sha256, file.size_bytes, file.path, lambda: self._door.read_export_source_file(request, file.size_bytes)
        )

    def _model(self, model: base_model_pb2.BaseModel, folder: Path, role: worker.ModelRole) -> tuple[str, str | None]:
        if model.files:
            self._link_model(model.files, folder, role)
            return str(folder), None
        if _HUB_NAME.fullmatch(model.hub_repo) is None:
            text = f"base model {model.display_name!r} has no files and no hub name; register it again"
            raise FailedPrecondition("BASE_MODEL_WITHOUT_FILES", text)
        return model.hub_repo, model.revision or None

    def _link_model(self, files: Sequence[base_model_pb2.BaseModelFile], folder: Path, role: worker.ModelRole) -> None:
        """Make a folder of links into the cache, as the hub's own cache does."""
        for file in files:
            link = below(folder, file.path)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(self._model_file(file, role), link.parent))

    def _model_file(self, file: base_model_pb2.BaseModelFile, role: worker.ModelRole) -> Path:
        request = worker.ReadBaseModelFileRequest(lease=self._lease, path=file.path, role=role)
        return self._file(
            file.sha256, file.size_bytes, file.path, lambda: self._door.read_base_model_file(request, file.size_bytes)
        )

    def _rows(self, dataset: dataset_pb2.Dataset, role: worker.DatasetRole) -> Path:
        request = worker.ReadDatasetRequest(lease=self._lease, role=role)
        what = f"dataset {dataset.display_name!r}"
        return self._file(dataset.sha256, dataset.size_bytes, what, lambda: self._door.read_dataset(request, dataset.size_bytes))

    def _earlier_state(self, assignment: worker.Assignment, work_folder: Path) -> Path | None:
        """Where an earlier attempt stood; None if there was none, or if it can't be had whole any more."""
        if not assignment.HasField("training_state"):
            return None
        state, folder = assignment.training_state, work_folder / STATE_FOLDER
        try:
            self._fetch_state(state.files, folder, Cache(work_folder / "fetched"))
        except (Refused, FailedPrecondition) as refused:
            log.error("training_state_refused", job=self._lease.job_id, step=state.step, message=refused.message)
            self._warn(f"Where the attempt before stood (step {state.step}) is damaged, so this one starts over")
            return None
        return folder

    def _fetch_state(self, files: Sequence[worker.ArtifactFile], folder: Path, cache: Cache) -> None:
        """Put the files into a folder. They go with the attempt: no other job has a use for them."""
        for file in files:
            target = below(folder, file.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            self._state_file(file, cache).replace(target)

    def _state_file(self, file: worker.ArtifactFile, cache: Cache) -> Path:
        request = worker.ReadTrainingStateFileRequest(lease=self._lease, path=file.path)
        return self._add(
            cache,
            file.sha256,
            file.size_bytes,
            file.path,
            lambda: self._door.read_training_state_file(request, file.size_bytes),
        )

    def _file(self, sha256: str, size_bytes: int, what: str, read: Callable[[], Iterator[bytes]]) -> Path:
        return self._cache.find(sha256, size_bytes) or self._add(self._cache, sha256, size_bytes, what, read)

    def _add(self, cache: Cache, sha256: str, size_bytes: int, what: str, read: Callable[[], Iterator[bytes]]) -> Path:
        log.info("input_fetched", job=self._lease.job_id, input=what, size_bytes=size_bytes)
        return persistently(lambda: cache.add(sha256, size_bytes, self._checked(read()), what), self._pause)

    def _checked(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._check()
            yield chunk


def below(folder: Path, path: str) -> Path:
    """Where a path from the wire points. Raises FailedPrecondition if that is not inside the folder."""
    parts = path.split("/")
    plain = all(_PATH_PART.fullmatch(part) and part.strip(".") for part in parts)
    target = folder.joinpath(*parts) if plain else folder
    if not plain or not target.resolve().is_relative_to(folder.resolve()):
        text = f"the base model has a file named {path!r}, which is no plain relative path; register the model again"
        raise FailedPrecondition("INPUT_REFUSED", text)
    return target
