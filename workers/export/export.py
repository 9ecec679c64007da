"""One attempt at an export, from its inputs to a stored result. It is short, so that an attempt after a crash begins again."""

import shutil
import traceback
from collections.abc import Callable

from tunesmith.config.v1 import export_configuration_pb2
from tunesmith.job.v1 import artifact_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import FailedPrecondition, ServiceError
from services.chassis.failpoints import failpoint
from workers.export import hub, merging, onnx_graph
from workers.export.card import render
from workers.export.inputs import ExportInputs
from workers.export.libraries import need
from workers.export.work import Work
from workers.training.memory import release
from workers.training.quiet import quiet
from workers.training.sink import Sink

Assignment = worker_service_pb2.Assignment
Format = export_configuration_pb2.ExportFormat

_WRITING_PERCENT = 55


def run(assignment: Assignment, inputs: ExportInputs, sink: Sink) -> None:
    """Make what was asked for, store it, and push it if that was asked for too.

    Raises Stopped if told to, and else what `failures.status_of` explains. A result whose push fails is stored all the same.
    """
    try:
        with quiet():
            _MAKERS[assignment.export.format](Work(assignment, inputs, sink))
    except BaseException as error:
        # The frames that the exception went through hold the model for as long as somebody holds it.
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        release()


def _adapter(work: Work) -> None:
    if not work.is_adapter:
        raise FailedPrecondition("NO_ADAPTER", "what is exported is a whole model and no adapter; set format to MERGED")
    # A folder of its own: the card is put right for the hub there.
    shutil.copytree(work.inputs.source, work.folder, copy_function=shutil.copyfile)
    _push(work)


def _merged(work: Work) -> None:
    model = merging.load(work)
    work.stage("Writing the model")
    work.part(_WRITING_PERCENT, 1)
    merging.write(model, work)
    work.advance()
    _finish(work, artifact_pb2.ARTIFACT_KIND_MODEL, "model")


def _gguf(work: Work) -> None:
    need("GGUF files", "gguf")
    from workers.export.gguf.file import check, write

    check(work)
    write(merging.load(work), work)
    _finish(work, artifact_pb2.ARTIFACT_KIND_GGUF, "gguf")


def _onnx(work: Work) -> None:
    need("ONNX graphs", "onnx", "onnxscript")
    onnx_graph.write(merging.load(work), work)
    _finish(work, artifact_pb2.ARTIFACT_KIND_ONNX, "onnx")


_MAKERS: dict[Format, Callable[[Work], None]] = {
    export_configuration_pb2.EXPORT_FORMAT_ADAPTER: _adapter,
    export_configuration_pb2.EXPORT_FORMAT_MERGED: _merged,
    export_configuration_pb2.EXPORT_FORMAT_GGUF: _gguf,
    export_configuration_pb2.EXPORT_FORMAT_ONNX: _onnx,
}


def _finish(work: Work, kind: artifact_pb2.ArtifactKind, name: str) -> None:
    (work.folder / "README.md").write_text(render(work), encoding="utf-8")
    work.stage("Storing the result")
    work.sink.add_artifacts(kind, name, work.assignment.export_source.step, work.folder)
    failpoint("export.stored")
    if not work.assignment.export.HasField("huggingface"):
        return
    try:
        _push(work)
    except ServiceError as error:
        text = f"the result is stored with this job, but was not pushed: {error.message}"
        raise FailedPrecondition("PUSH_FAILED", text) from error


def _push(work: Work) -> None:
    integration = work.assignment.export.huggingface
    work.stage(f"Pushing to {integration.output_repo_name}")
    work.sink.stage(f"Pushed to {hub.push(work.folder, integration)}")
