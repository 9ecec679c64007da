"""`tunesmith preflight`: what is found, with its line; the exit code; the corrected file."""

import json
from pathlib import Path

import pytest
import yaml
from google.protobuf.json_format import ParseDict
from tunesmith.cli import jobs
from tunesmith.job.v1 import job_pb2
from tunesmith.job.v1.job_service_pb2 import CreateJobRequest
from tunesmith.preflight.v1 import preflight_service_pb2 as messages
from tunesmith.preflight.v1.report_pb2 import Report

from tests.fakes.control_plane import FakeControlPlane
from tests.unit.cli.conftest import Run

FILE = """\
# what I want
model: {base_model: tunesmith/pico}
datasets: {training_file_id: rows}
method: {type: TRAINING_METHOD_FULL}
schedule: {epochs: -1, batch_size: 32}
"""
EPOCHS = {
    "code": "OUT_OF_RANGE",
    "severity": "SEVERITY_ERROR",
    "field_path": "schedule.epochs",
    "message": "schedule.epochs is -1",
    "fix": {"label": "Set epochs to 1", "edits": [{"field_path": "schedule.epochs", "value": 1}]},
}
BATCH = {
    "code": "OUTSIDE_RECOMMENDED",
    "severity": "SEVERITY_WARNING",
    "field_path": "schedule.batch_size",
    "message": "schedule.batch_size is 32",
    "fix": {"label": "Set batch size to 8", "edits": [{"field_path": "schedule.batch_size", "value": 8}]},
}
ALPHA = {
    "code": "LORA_ALPHA_UNUSUAL",
    "severity": "SEVERITY_NOTE",
    "field_path": "method.lora_config.alpha",
    "message": "alpha is unusual",
    "fix": {"label": "Set alpha to 16", "edits": [{"field_path": "method.lora_config.alpha", "value": 16}]},
}
READY = {
    "ok": True,
    "memory": {
        "peak_bytes": 4_000_000_000,
        "low_bytes": 3_500_000_000,
        "high_bytes": 4_500_000_000,
        "device_bytes": 24_000_000_000,
        "components": [{"name": "weights", "bytes": 1_000_000_000}, {"name": "activations", "bytes": 3_000_000_000}],
        "basis": "BASIS_CLOSED_FORM",
        "confidence": "CONFIDENCE_MEDIUM",
        "parameter_count": 2_400_000,
        "trainable_parameter_count": 2_400_000,
    },
    "placement": {"device": {"name": "NVIDIA A100"}, "device_count": 2, "detail": "of a pool"},
    "throughput": {"step_seconds": 0.25, "total_steps": 300, "tokens_per_second": 12345, "speed_source": "SPEED_SOURCE_PROBE"},
    "duration_seconds": 75,
    "queue_seconds": 4,
    "cost": {"amount": 1.5, "currency": "USD", "detail": "2 GPU hours"},
}


def report(**fields: object) -> Report:
    return ParseDict(fields, Report())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "job.yaml"
    file.write_text(FILE)
    return file


def test_findings_stand_with_their_line_and_their_fix(run: Run, plane: FakeControlPlane, file: Path) -> None:
    plane.reports = [report(findings=[EPOCHS, BATCH])]
    result = run("preflight", str(file))
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[1].split()[:4] == ["error", "OUT_OF_RANGE", f"{file}:5", "schedule.epochs"]
    assert lines[1].endswith("schedule.epochs is -1 [fix: Set epochs to 1]")
    assert lines[2].startswith("warning")
    assert lines[-1] == "the job would be refused"
    assert file.read_text() == FILE


def test_what_a_job_takes(run: Run, plane: FakeControlPlane, file: Path) -> None:
    plane.reports = [report(**READY)]
    result = run("preflight", str(file), "--provider", "local", "--recipe", "LoRA")
    assert result.exit_code == 0
    assert "weights      1 GB         ██████████\n" in result.stdout
    assert "activations  3 GB         ██████████████████████████████\n" in result.stdout
    for expected in ("4 GB (3.5 GB to 4.5 GB), of 24 GB", "2 × NVIDIA A100", "300 of 0.25 s", "1 min 15 s", "1.50 USD"):
        assert expected in result.stdout
    assert result.stdout.endswith("ready\n")
    [request] = plane.requests
    assert (request.provider, request.recipe, request.estimation) == ("local", "LoRA", messages.ESTIMATION_CLOSED_FORM)
    assert request.configuration.schedule.epochs == -1


def test_a_trace_is_asked_for(run: Run, plane: FakeControlPlane, file: Path) -> None:
    assert run("preflight", str(file), "--traced").exit_code == 0
    assert plane.requests[0].estimation == messages.ESTIMATION_TRACED


def test_for_a_program(run: Run, plane: FakeControlPlane, file: Path) -> None:
    plane.reports = [report(**READY)]
    shown = json.loads(run("preflight", str(file), "-o", "json").stdout)
    assert shown["report"]["memory"]["peak_bytes"] == "4000000000"


def test_the_file_is_corrected_and_the_old_one_kept(run: Run, plane: FakeControlPlane, file: Path) -> None:
    # A note is a matter of taste: nobody asked for it.
    plane.reports = [report(findings=[EPOCHS, BATCH, ALPHA]), report(ok=True, findings=[ALPHA])]
    result = run("preflight", str(file), "--fix")
    assert result.exit_code == 0
    written = yaml.safe_load(file.read_text())
    assert written["schedule"] == {"epochs": 1, "batch_size": 8}
    assert written["method"] == {"type": "TRAINING_METHOD_FULL"}
    assert file.with_name("job.yaml.orig").read_text() == FILE
    assert "schedule.epochs: Set epochs to 1" in result.stderr
    assert plane.requests[1].configuration.schedule.epochs == 1


def test_a_whole_request_in_json_stays_one(run: Run, plane: FakeControlPlane, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text(json.dumps({"provider": "local", "configuration": yaml.safe_load(FILE)}))
    plane.reports = [report(findings=[EPOCHS]), report(ok=True)]
    assert run("preflight", str(file), "--fix").exit_code == 0
    written = json.loads(file.read_text())
    assert (written["provider"], written["configuration"]["schedule"]["epochs"]) == ("local", 1)


def test_nothing_to_correct_writes_nothing(run: Run, plane: FakeControlPlane, file: Path) -> None:
    result = run("preflight", str(file), "--fix")
    assert result.exit_code == 0
    assert "nothing to correct" in result.stderr
    assert [path.name for path in file.parent.iterdir()] == ["job.yaml"]


def test_standard_input_can_be_checked_and_not_corrected(run: Run, plane: FakeControlPlane) -> None:
    assert run("preflight", "-", input=FILE).exit_code == 0
    assert run("preflight", "-", "--fix", input=FILE).exit_code == 2


@pytest.mark.parametrize(("said", "exit_code", "sent"), [("y\n", 0, [False, True]), ("n\n", 1, [False])])
def test_a_person_is_shown_the_warnings_and_asked(
    run: Run, plane: FakeControlPlane, file: Path, monkeypatch: pytest.MonkeyPatch, said: str, exit_code: int, sent: list[bool]
) -> None:
    monkeypatch.setattr(jobs, "_somebody_is_there", lambda: True)
    plane.reports = [report(ok=True, findings=[BATCH, ALPHA])]
    plane.jobs.append(job_pb2.Job(id="j1"))
    plane.warning = "schedule.batch_size is 32; send accept_warnings: true"
    result = run("jobs", "create", "-f", str(file), input=said)
    assert result.exit_code == exit_code
    assert "schedule.batch_size is 32 [fix: Set batch size to 8]" in result.stdout
    assert "alpha" not in result.stdout
    assert "Create the job all the same?" in result.stderr
    assert [one.accept_warnings for one in plane.requests if isinstance(one, CreateJobRequest)] == sent


def test_a_program_is_not_asked(run: Run, plane: FakeControlPlane, file: Path) -> None:
    plane.warning = "schedule.batch_size is 32; send accept_warnings: true"
    result = run("jobs", "create", "-f", str(file))
    assert result.exit_code == 1
    assert "--accept-warnings" in result.stderr
