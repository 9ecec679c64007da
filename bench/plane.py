"""A control plane to be measured: the services in one process and a real Envoy, on free ports in a folder of their own."""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from google.protobuf import json_format
from tunesmith.job.v1 import job_service_pb2
from tunesmith.job.v1.job_service_pb2_grpc import JobServiceStub
from tunesmith.worker.v1 import worker_service_pb2 as door
from tunesmith.worker.v1.worker_service_pb2_grpc import WorkerServiceStub

from bench.record import ROOT
from services.chassis.settings import Settings
from starter import pico
from supervisor import envoy
from supervisor.probes import free_port, is_healthy

HOST = "127.0.0.1"
POOL_ID = "bench"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
# Leases must outlive a loop that sends no heartbeats.
LEASE_SECONDS = "3600"
ROWS = b'{"prompt": "What is two and two?", "completion": "Four."}\n' * 20


class Plane:
    """Services and gateway for the length of a measurement."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tsb-")
        home = Path(self._folder.name)
        self._settings = Settings(
            host=HOST,
            port=free_port(HOST),
            worker_port=free_port(HOST),
            home=home,
            # A socket's path has to be short.
            services_address=f"unix:{home}/s",
            registry_address=None,
            job_address=None,
            parameter_address=None,
            provider_address=None,
            preflight_address=None,
            database_url=None,
            allowed_hosts=(),
            allowed_origins=(),
        )
        self._dataset_id = ""

    def __enter__(self) -> Self:
        settings = self._settings
        own = {
            "TUNESMITH_HOME": str(settings.home),
            "TUNESMITH_SERVICES_ADDRESS": settings.services_address,
            "TUNESMITH_IMPORT_ROOTS": str(settings.home),
            "TUNESMITH_LEASE_SECONDS": LEASE_SECONDS,
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TUNESMITH_")}
        configuration = envoy.write_configuration(settings, settings.home)
        with (settings.home / "services.log").open("wb") as log:
            command = [sys.executable, "-m", "services"]
            self.services = subprocess.Popen(command, cwd=ROOT, env=inherited | own, stdout=log, stderr=log)
            self.gateway = subprocess.Popen(envoy.command(configuration), stdout=log, stderr=log)
        try:
            self._wait_until_healthy()
            pico.register(settings.home / "pico", settings.services_address)
            self._dataset_id = self._upload()
            self._register_pool()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    @property
    def home(self) -> Path:
        """Where its files lie."""
        return self._settings.home

    @property
    def address(self) -> str:
        """Where people and programs call: gRPC and JSON."""
        return f"{HOST}:{self._settings.port}"

    @property
    def dataset_id(self) -> str:
        """A dataset of twenty rows of prompt and completion."""
        return self._dataset_id

    @property
    def worker_address(self) -> str:
        """Where agents call: gRPC."""
        return f"{HOST}:{self._settings.worker_port}"

    @property
    def log(self) -> str:
        """What the services and Envoy wrote."""
        return (self._settings.home / "services.log").read_text(errors="replace")

    def create_jobs(self, count: int) -> list[str]:
        """Queue jobs through the gateway; answers their ids, oldest first."""
        configuration = {
            "model": {"base_model": pico.HUB_REPO},
            "datasets": {"training_file_id": self._dataset_id},
            "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 8}},
        }
        body = {"provider": "local", "configuration": configuration}
        request = json_format.ParseDict(body, job_service_pb2.CreateJobRequest())
        with grpc.insecure_channel(self.address) as channel:
            jobs = JobServiceStub(channel)
            return [jobs.CreateJob(request).job.id for _ in range(count)]

    def lease(self, count: int) -> list[door.LeaseToken]:
        """Lease so many of the jobs that wait."""
        with grpc.insecure_channel(self.worker_address) as channel:
            worker = WorkerServiceStub(channel)
            tokens = [worker.Lease(door.LeaseRequest(pool_id=POOL_ID)).assignment.lease for _ in range(count)]
        if not all(token.job_id for token in tokens):
            raise RuntimeError(f"fewer than {count} jobs were waiting")
        return tokens

    def _wait_until_healthy(self) -> None:
        end = time.monotonic() + START_TIMEOUT_S
        while not is_healthy(HOST, self._settings.port):
            if time.monotonic() > end or self.services.poll() is not None or self.gateway.poll() is not None:
                raise RuntimeError(f"the control plane did not start:\n{self.log[-2000:]}")
            time.sleep(0.05)

    def _upload(self) -> str:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        connection.request("POST", "/v1/datasets:upload?filename=bench.jsonl", ROWS)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if response.status != http.client.OK:
            raise RuntimeError(f"the upload failed: {body.decode()}")
        return str(json.loads(body)["dataset"]["id"])

    def _register_pool(self) -> None:
        with grpc.insecure_channel(self.worker_address) as channel:
            request = door.RegisterPoolRequest(pool_id=POOL_ID, providers=["local"], ready=True)
            WorkerServiceStub(channel).RegisterPool(request)

    def _end(self) -> None:
        for process in (self.gateway, self.services):
            process.terminate()
        for process in (self.gateway, self.services):
            process.wait(STOP_TIMEOUT_S)
        self._folder.cleanup()
