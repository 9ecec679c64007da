"""Exit codes, and what a person reads."""

import socket

import pytest
from google.rpc import code_pb2, error_details_pb2

from tests.fakes.control_plane import FakeControlPlane
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        (code_pb2.INVALID_ARGUMENT, 2),
        (code_pb2.NOT_FOUND, 3),
        (code_pb2.UNAVAILABLE, 4),
        (code_pb2.FAILED_PRECONDITION, 1),
        (code_pb2.ALREADY_EXISTS, 1),
        (code_pb2.INTERNAL, 1),
    ],
)
def test_the_exit_code_says_what_kind_of_error_it_was(run: Run, plane: FakeControlPlane, code: int, exit_code: int) -> None:
    plane.refuse(code, "a sentence with what to do next")
    result = run("jobs", "get", "j1")
    assert result.exit_code == exit_code
    assert "a sentence with what to do next" in result.stderr
    assert result.stdout == ""


def test_each_violation_is_a_line_with_its_field(run: Run, plane: FakeControlPlane) -> None:
    plane.refuse_fields(("page_size", "must be at most 200"), ("order_by", "order_by takes create_time"))
    result = run("jobs", "list")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == ["error: page_size: must be at most 200", "error: order_by takes create_time"]


def test_a_service_that_says_what_it_lacks_did_answer(run: Run, plane: FakeControlPlane) -> None:
    plane.refuse(code_pb2.UNAVAILABLE, "the registry is away", error_details_pb2.ErrorInfo(reason="REGISTRY_AWAY"))
    result = run("jobs", "list")
    assert result.exit_code == 1
    assert result.stderr == "error: the registry is away\n"


def test_no_server_at_all(run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = run("jobs", "list", "--server", f"127.0.0.1:{port}")
    assert result.exit_code == 4
    assert "make up" in result.stderr


def test_what_is_no_server(run: Run, plane: FakeControlPlane) -> None:
    result = run("jobs", "list", "--server", "ftp://host:21")
    assert result.exit_code == 2
    assert "use host:port" in result.stderr
    assert plane.requests == []


def test_the_server_may_stand_before_the_noun(run: Run, plane: FakeControlPlane) -> None:
    result = run("--server", f"127.0.0.1:{plane.port}", "jobs", "list", "-o", "json")
    assert result.exit_code == 0
    assert len(plane.requests) == 1


def test_a_server_s_text_can_not_drive_the_terminal(run: Run, plane: FakeControlPlane) -> None:
    plane.refuse(code_pb2.NOT_FOUND, "job \x1b]0;owned\a does not exist")
    assert run("jobs", "get", "j1").stderr == "error: job ]0;owned does not exist\n"


def test_a_wrong_option_is_a_usage_error(run: Run) -> None:
    assert run("jobs", "list", "--limit", "0").exit_code == 2
    assert run("jobs", "lst").exit_code == 2
