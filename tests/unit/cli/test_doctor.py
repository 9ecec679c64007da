"""`tunesmith doctor`: each check says what it found and what to do."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from google.rpc import code_pb2
from tunesmith.cli import doctor_checks
from tunesmith.cli.doctor_checks import Verdict
from tunesmith.client.blocking import Tunesmith
from tunesmith.client.connection import Address
from tunesmith.pool.v1 import pool_pb2

from tests.fakes.control_plane import FakeControlPlane
from tests.unit.cli.conftest import Run


@pytest.fixture
def client(plane: FakeControlPlane) -> Iterator[Tunesmith]:
    with Tunesmith(f"127.0.0.1:{plane.port}") as client:
        yield client


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def verdicts(checks: list[doctor_checks.Check]) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in checks}


def answering(status: int) -> HTTPServer:
    """A server that answers every GET with this status, on a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """A test's requests are no news."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@pytest.mark.parametrize(("status", "verdict"), [(200, Verdict.OK), (503, Verdict.WARN)])
def test_a_gateway_that_answers(status: int, verdict: Verdict) -> None:
    server = answering(status)
    check = doctor_checks.check_gateway(Address("127.0.0.1", server.server_port))
    assert check.verdict is verdict
    assert str(status) in check.detail
    assert bool(check.fix) == (verdict is not Verdict.OK)
    server.shutdown()
    server.server_close()


def test_services_and_a_pool_that_is_ready(plane: FakeControlPlane, client: Tunesmith) -> None:
    device = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CPU, core_count=2)
    plane.pools.append(pool_pb2.Pool(id="p1", state=pool_pb2.POOL_STATE_READY, devices=[device]))
    checks = doctor_checks.service_checks(client)
    names = [
        "registry service",
        "job service",
        "parameter service",
        "provider service",
        "preflight service",
        "pool service",
        "pool",
        "devices",
    ]
    assert verdicts(checks) == dict.fromkeys(names, Verdict.OK)
    assert checks[-1].detail == "CPU (2 cores)"


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        ([], Verdict.FAIL),
        ([pool_pb2.POOL_STATE_LOST], Verdict.FAIL),
        ([pool_pb2.POOL_STATE_LOST, pool_pb2.POOL_STATE_STARTING], Verdict.WARN),
    ],
)
def test_no_pool_that_is_ready(
    plane: FakeControlPlane, client: Tunesmith, states: list[pool_pb2.PoolState], verdict: Verdict
) -> None:
    plane.pools += [pool_pb2.Pool(state=state) for state in states]
    check = doctor_checks.check_pools(client)[-1]
    assert (check.name, check.verdict) == ("pool", verdict)
    assert check.fix


def test_services_that_are_away(plane: FakeControlPlane, client: Tunesmith) -> None:
    plane.refuse(code_pb2.UNAVAILABLE, "no healthy upstream")
    checks = doctor_checks.service_checks(client)
    assert set(verdicts(checks).values()) == {Verdict.FAIL}
    assert len(checks) == 6
    assert all("no healthy upstream" in check.detail for check in checks)


def test_no_server_is_one_failure_and_not_five(run: Run, closed_port: int) -> None:
    result = run("doctor", "--server", f"127.0.0.1:{closed_port}", "-o", "json")
    assert result.exit_code == 1
    checks = json.loads(result.stdout)["checks"]
    assert checks[0]["name"] == "gateway"
    assert checks[0]["verdict"] == "FAIL"
    assert "make up" in checks[0]["fix"]
    assert [check["name"] for check in checks[1:]] == ["Python", "Ray", "torch", "transformers", "Envoy", "disk", "memory"]


def test_the_table_has_a_line_a_check(run: Run, closed_port: int) -> None:
    lines = run("doctor", "--server", f"127.0.0.1:{closed_port}").stdout.splitlines()
    assert len(lines) == 1 + 8
    assert lines[1].startswith("FAIL  gateway")


def test_a_package_that_is_not_here() -> None:
    check = doctor_checks.check_package("Nothing", "no-such-distribution", "no_such_module", Verdict.WARN)
    assert check.verdict is Verdict.WARN
    assert "make setup" in check.fix


def test_disk_and_memory_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = doctor_checks.check_disk(tmp_path / "not" / "yet" / "there")
    assert "free for" in check.detail
    monkeypatch.setattr(doctor_checks, "DISK_LEAST_BYTES", 10**18)
    monkeypatch.setattr(doctor_checks, "DISK_ENOUGH_BYTES", 10**18)
    full = doctor_checks.check_disk(tmp_path)
    assert full.verdict is Verdict.FAIL
    assert "TUNESMITH_HOME" in full.fix


def test_memory_as_linux_says_it(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       32000000 kB\nMemAvailable:    2000000 kB\n")
    assert doctor_checks.available_memory_bytes(meminfo) == 2_048_000_000
    assert doctor_checks.available_memory_bytes(tmp_path / "nowhere") is None
