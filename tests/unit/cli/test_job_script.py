"""`tunesmith jobs script`: to standard output, to a file, and what it says besides."""

import json
from pathlib import Path

import pytest
from tunesmith.job.v1 import job_service_pb2 as messages

from tests.fakes.control_plane import FakeControlPlane
from tests.unit.cli.conftest import Run

CONTENT = 'print("x")\n\n# a line\n'


@pytest.fixture(autouse=True)
def script(plane: FakeControlPlane) -> None:
    plane.script = messages.GetJobScriptResponse(file_name="train.py", content=CONTENT, differences=["It pushes nothing."])


def test_a_script_goes_to_standard_output_and_what_differs_to_the_other(run: Run, plane: FakeControlPlane) -> None:
    result = run("jobs", "script", "j1")
    assert result.exit_code == 0
    assert result.stdout == CONTENT
    assert result.stderr == "differs from the job: It pushes nothing.\n"
    assert [(request.id, request.format) for request in plane.requests] == [("j1", messages.SCRIPT_FORMAT_PYTHON)]


def test_axolotl_s_is_asked_for(run: Run, plane: FakeControlPlane) -> None:
    run("jobs", "script", "j1", "--axolotl")
    assert [request.format for request in plane.requests] == [messages.SCRIPT_FORMAT_AXOLOTL]


def test_a_file_is_written_once(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    result = run("jobs", "script", "j1", "--to", str(file))
    assert (result.exit_code, result.stdout, file.read_text()) == (0, "", CONTENT)
    file.write_text("mine")
    again = run("jobs", "script", "j1", "--to", str(file))
    assert again.exit_code == 2
    assert f"error: {file} is there already\n--to names another file, --overwrite replaces it\n" in again.stderr
    assert file.read_text() == "mine"
    assert run("jobs", "script", "j1", "--to", str(file), "--overwrite").exit_code == 0
    assert file.read_text() == CONTENT


def test_a_file_where_none_can_be_written(run: Run, tmp_path: Path) -> None:
    result = run("jobs", "script", "j1", "--to", str(tmp_path / "nowhere" / "train.py"))
    assert result.exit_code == 2
    assert "can't be written: No such file or directory" in result.stderr


def test_programs_get_the_answer(run: Run) -> None:
    answer = json.loads(run("jobs", "script", "j1", "-o", "json").stdout)
    assert answer == {"file_name": "train.py", "content": CONTENT, "differences": ["It pushes nothing."]}
