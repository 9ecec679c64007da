"""What every export's test starts from: a base, an adapter of it, and a sink that remembers."""

import gc
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from google.protobuf.json_format import ParseDict
from tunesmith.job.v1 import artifact_pb2, job_pb2
from tunesmith.worker.v1 import worker_service_pb2

from tests.integration.export.models import CONFIGURATIONS, byte_level, write_adapter, write_base
from tests.integration.training.conftest import RecordingSink
from workers.export.export import run
from workers.export.inputs import ExportInputs
from workers.training.sink import Stopped


@pytest.fixture(autouse=True, scope="session")
def _quick_runs() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    # An export collects garbage, which takes half a second while the imported libraries are searched too.
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    torch.set_num_threads(threads)


@dataclass
class Export:
    """An export, ready to run."""

    assignment: worker_service_pb2.Assignment
    inputs: ExportInputs
    sink: RecordingSink

    def run(self) -> Path:
        """The folder of the set that it stores."""
        run(self.assignment, self.inputs, self.sink)
        [name] = self.sink.sets
        return self.sink.artifacts_folder / name

    def stopped(self) -> RecordingSink:
        """Run until it is told to stop."""
        with pytest.raises(Stopped):
            self.run()
        return self.sink


MakeExport = Callable[..., Export]


@pytest.fixture
def make_export(tmp_path: Path) -> MakeExport:
    """An export of a source; `export` is merged over the format."""

    def make(
        form: str,
        source: Path,
        base: Path | None,
        *,
        export: dict[str, Any] | None = None,
        directives: dict[int, Any] | None = None,
    ) -> Export:
        folder = tmp_path / f"export-{len(list(tmp_path.glob('export-*')))}"
        work = folder / "work"
        work.mkdir(parents=True)
        assignment = worker_service_pb2.Assignment(provider="local")
        assignment.lease.job_id, assignment.lease.epoch = "job-2", 1
        ParseDict({"format": f"EXPORT_FORMAT_{form}", **(export or {})}, assignment.export)
        base_model = assignment.base_model
        base_model.id, base_model.display_name, base_model.hub_repo, base_model.license = "b", "tiny", "me/tiny", "apache-2.0"
        for path in base.glob("*.safetensors") if base else []:
            base_model.files.add(path=path.name, size_bytes=path.stat().st_size)
        kind = artifact_pb2.ARTIFACT_KIND_ADAPTER if base else artifact_pb2.ARTIFACT_KIND_MODEL
        given = assignment.export_source
        given.kind, given.name, given.step = kind, "adapter" if base else "model", 5
        given.job.CopyFrom(job_pb2.Job(id="job-1", display_name="my | job"))
        inputs = ExportInputs(str(base) if base else None, None, source, work)
        return Export(assignment, inputs, RecordingSink(folder / "stored", directives or {}))

    return make


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama with tied embeddings."""
    return write_base(tmp_path_factory.mktemp("llama") / "base", CONFIGURATIONS["llama"](), byte_level())


@pytest.fixture(scope="session")
def adapter(llama: Path) -> Path:
    """A LoRA adapter of it."""
    return write_adapter(llama.parent / "adapter", llama)


def need(*names: str) -> None:
    """Skip a test whose libraries are not installed."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed; make setup installs what the lock file names")
