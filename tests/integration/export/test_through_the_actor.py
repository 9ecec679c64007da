"""An export from its assignment to its outcome: fetched through the door, made, stored and told."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load
from tunesmith.config.v1 import export_configuration_pb2
from tunesmith.job.v1 import artifact_pb2, job_event_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from tests.fakes.worker_door import FakeDoor
from workers.actor import TrainingActor

pytestmark = pytest.mark.integration


def test_an_actor_merges_what_the_door_gives_it(
    llama: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An actor moves into its work folder; the test moves back.
    monkeypatch.chdir(tmp_path)
    server = FakeDoor()
    server.start()
    try:
        assignment = worker.Assignment(provider="local", display_name="an export", lease_seconds=30.0)
        assignment.base_model.display_name = "tiny"
        files = {path.name: path.read_bytes() for path in llama.iterdir()}
        job = server.add_job(assignment, b"", **files)
        job.assignment.ClearField("training_dataset")
        job.give_source({path.name: path.read_bytes() for path in adapter.iterdir()})
        job.assignment.export_source.kind, job.assignment.export_source.step = artifact_pb2.ARTIFACT_KIND_ADAPTER, 7
        job.assignment.export.format = export_configuration_pb2.EXPORT_FORMAT_MERGED
        actor = TrainingActor(str(tmp_path / "home"), server.address, "pool", "INFO", None, 60.0, 2**30)
        given = server.take(job)
        assert worker.Outcome.FromString(actor.run(given.SerializeToString())).HasField("succeeded")
    finally:
        server.stop()
    assert set(job.artifacts) == {"model"}
    merged, base = load(job.artifacts["model"]["model.safetensors"]), load(files["model.safetensors"])
    moved = [name for name in base if not torch.equal(base[name], merged[name])]
    # Seven linear layers in each of two; the rest is the base's, bit for bit.
    assert len(moved) == 14
    assert set(base) == set(merged)
    stages = job.events(job_event_pb2.JOB_EVENT_TYPE_STAGE)
    assert stages == ["Fetching the inputs", "Loading tiny", "Merging", "Writing the model", "Storing the result"]
    last = [report.progress for report in job.reports if report.HasField("progress")][-1]
    assert (last.step, last.total_steps) == (95, 100)
