"""A real Envoy on free ports, in front of fake services in a process of their own."""

import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.chassis.settings import Settings
from supervisor import envoy
from supervisor.probes import free_port

ROOT = Path(__file__).parents[3]
ALLOWED_HOST = "tune.example.org"
ALLOWED_ORIGIN = "https://console.example.org"
_START_S = 20.0


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Gateway:
    """Envoy, what it was told, and ways to call it."""

    settings: Settings
    folder: Path
    envoy: subprocess.Popen[bytes]
    services: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.settings.port}"

    @property
    def worker_address(self) -> str:
        return f"127.0.0.1:{self.settings.worker_port}"

    def call(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.call("GET", path, headers=headers)

    def post(self, path: str, body: str | bytes | dict, headers: Mapping[str, str] | None = None) -> Answer:
        return self.call("POST", path, json.dumps(body) if isinstance(body, dict) else body, headers)


def start_services(address: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.integration.gateway.fake_services", address], cwd=ROOT)


def wait_until_healthy(gateway: Gateway, expected: int = 200) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        assert gateway.envoy.poll() is None, "Envoy ended; its errors stand above"
        try:
            if gateway.get("/healthz").status == expected:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"/healthz did not answer {expected} within {_START_S:.0f} s")


@pytest.fixture(scope="package")
def gateway() -> Iterator[Gateway]:
    # A socket's path has to be short, and pytest's folders are not.
    with tempfile.TemporaryDirectory(prefix="ts-") as folder:
        address = f"unix:{folder}/s.sock"
        settings = Settings(
            host="127.0.0.1",
            port=free_port("127.0.0.1"),
            worker_port=free_port("127.0.0.1"),
            home=Path(folder),
            services_address=address,
            registry_address=None,
            job_address=None,
            parameter_address=None,
            provider_address=None,
            preflight_address=None,
            allowed_hosts=(ALLOWED_HOST,),
            allowed_origins=(ALLOWED_ORIGIN,),
        )
        config = envoy.write_configuration(settings, Path(folder))
        made = Gateway(settings, Path(folder), subprocess.Popen(envoy.command(config)), start_services(address))
        try:
            wait_until_healthy(made)
            yield made
        finally:
            for process in (made.envoy, made.services):
                process.terminate()
                process.wait(10)


@pytest.fixture
def channel(gateway: Gateway) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(gateway.address) as made:
        yield made


@pytest.fixture
def worker_channel(gateway: Gateway) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(gateway.worker_address) as made:
        yield made
