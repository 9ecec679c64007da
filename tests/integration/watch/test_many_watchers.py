"""Fifty people watch one job through a real gateway, each dropped and resumed at random: every event comes once, in order."""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format
from tunesmith.job.v1 import artifact_pb2, job_event_pb2, job_state_pb2, metric_pb2
from tunesmith.job.v1 import job_service_pb2 as jobs
from tunesmith.job.v1.job_service_pb2_grpc import JobServiceStub
from tunesmith.worker.v1 import worker_service_pb2 as door
from tunesmith.worker.v1.worker_service_pb2_grpc import WorkerServiceStub

from services.chassis.settings import Settings
from services.job.domain import TERMINAL
from starter import pico
from supervisor import envoy, probes
from tests.chaos.variants import upload

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
WATCHER_COUNT = 50
REPORT_COUNT = 120
# Sometimes several events come in one report, as when a worker could not reach the door for a while.
MOST_EVENTS_A_REPORT = 5
# The whole job takes some seconds, so that each watcher is dropped several times.
REPORT_PAUSE_S = 0.05
MEAN_STREAM_S = 0.7
FEWEST_DROPS = 3
START_S = 60.0
SEED = 24
POOL = "scripted-pool"


@dataclass(frozen=True)
class House:
    """Services and the gateway before them; nobody works."""

    settings: Settings

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.settings.port}"

    @property
    def door(self) -> str:
        return f"127.0.0.1:{self.settings.worker_port}"


@pytest.fixture
def house() -> Iterator[House]:
    # A socket's path has to be short, and pytest's folders are not.
    with tempfile.TemporaryDirectory(prefix="ts-") as folder, ExitStack() as running:
        settings = Settings(
            host="127.0.0.1",
            port=probes.free_port("127.0.0.1"),
            worker_port=probes.free_port("127.0.0.1"),
            home=Path(folder),
            services_address=f"unix:{folder}/s.sock",
            registry_address=None,
            job_address=None,
            parameter_address=None,
            provider_address=None,
            preflight_address=None,
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TUNESMITH_")}
        environment |= {
            "TUNESMITH_HOME": folder,
            "TUNESMITH_SERVICES_ADDRESS": settings.services_address,
            "TUNESMITH_IMPORT_ROOTS": folder,
        }
        for command in ([sys.executable, "-m", "services"], envoy.command(envoy.write_configuration(settings, Path(folder)))):
            process = subprocess.Popen(command, cwd=ROOT, env=environment)
            running.callback(process.wait, 20)
            running.callback(process.terminate)
        deadline = time.monotonic() + START_S
        while not probes.is_healthy("127.0.0.1", settings.port):
            assert time.monotonic() < deadline, "the gateway did not become healthy"
            time.sleep(0.1)
        yield House(settings)


@dataclass
class Watcher:
    """What one of them saw."""

    chance: random.Random
    sequences: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    drops: int = 0

    async def watch(self, stub: JobServiceStub, job_id: str) -> None:
        """See the job to its end, over one stream after another."""
        request = jobs.WatchJobRequest(id=job_id)
        is_over = False
        while not is_over:
            is_over = await self._follow(stub, request, self.chance.expovariate(1 / MEAN_STREAM_S))

    async def _follow(self, stub: JobServiceStub, request: jobs.WatchJobRequest, seconds: float) -> bool:
        is_over = False
        stream = stub.WatchJob(request)
        try:
            async with asyncio.timeout(seconds):
                async for message in stream:
                    is_over = message.job.state in TERMINAL
                    self.sequences += [event.sequence for event in message.events]
                    self.steps += [point.step for series in message.metrics for point in series.points]
                    request.after_sequence = max([request.after_sequence, *self.sequences[-1:]])
                    request.after_metric_cursor = message.metric_cursor
        except TimeoutError:
            stream.cancel()
            self.drops += 1
            return False
        return is_over


async def test_every_event_comes_once_and_in_order_to_each_of_fifty(house: House) -> None:
    job_id = await _create(house)
    chance = random.Random(SEED)
    watchers = [Watcher(random.Random(chance.random())) for _ in range(WATCHER_COUNT)]
    # Five share a connection, as tabs of one browser do.
    channels = [grpc.aio.insecure_channel(house.address, options=[("grpc.use_local_subchannel_pool", 1)]) for _ in range(10)]
    async with asyncio.TaskGroup() as people:
        people.create_task(_work(house, chance))
        for number, watcher in enumerate(watchers):
            people.create_task(watcher.watch(JobServiceStub(channels[number % len(channels)]), job_id))
    events = await _listed(JobServiceStub(channels[0]), job_id)
    for channel in channels:
        await channel.close()

    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert sum(event.type == job_event_pb2.JOB_EVENT_TYPE_STAGE for event in events) >= REPORT_COUNT
    assert job_state_pb2.JobState.Name(events[-1].state) == "JOB_STATE_SUCCEEDED"
    assert len(watchers) == WATCHER_COUNT
    for watcher in watchers:
        assert watcher.sequences == list(range(1, len(events) + 1))
        assert watcher.steps == list(range(1, REPORT_COUNT + 1))
    assert min(watcher.drops for watcher in watchers) >= FEWEST_DROPS


async def _create(house: House) -> str:
    """A job on the starter model and a few rows; answers its id."""
    folder = house.settings.home / "starter" / "pico"
    await asyncio.to_thread(pico.register, folder, house.settings.services_address)
    dataset = await asyncio.to_thread(upload, house.settings.port, "rows", 20, SEED)
    configuration = {
        "model": {"base_model": pico.HUB_REPO},
        "datasets": {"training_file_id": dataset},
        "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {}},
    }
    request = json_format.ParseDict({"provider": "local", "configuration": configuration}, jobs.CreateJobRequest())
    async with grpc.aio.insecure_channel(house.address) as channel:
        return str((await JobServiceStub(channel).CreateJob(request)).job.id)


async def _work(house: House, chance: random.Random) -> None:
    """A scripted worker: it leases the job, reports events and points, stores a result and succeeds."""
    async with grpc.aio.insecure_channel(house.door) as channel:
        stub = WorkerServiceStub(channel)
        await stub.RegisterPool(door.RegisterPoolRequest(pool_id=POOL, providers=["local"], ready=True))
        lease = (await stub.Lease(door.LeaseRequest(pool_id=POOL, wait_seconds=10))).assignment.lease
        for sequence in range(1, REPORT_COUNT + 1):
            await stub.Report(_report(lease, sequence, chance.randint(1, MOST_EVENTS_A_REPORT)))
            await asyncio.sleep(REPORT_PAUSE_S)
        await stub.WriteArtifactSet(_result(lease))
        succeeded = door.Outcome(succeeded=door.Succeeded())
        await stub.Report(door.ReportRequest(lease=lease, sequence=REPORT_COUNT + 1, outcome=succeeded))


def _report(lease: door.LeaseToken, step: int, event_count: int) -> door.ReportRequest:
    stage = job_event_pb2.JOB_EVENT_TYPE_STAGE
    return door.ReportRequest(
        lease=lease,
        sequence=step,
        events=[door.ReportedEvent(type=stage, message=f"Step {step}, {number}") for number in range(event_count)],
        metrics=[metric_pb2.MetricChunk(key="train_loss", steps=[step], values=[1 / step], times_ms=[step])],
    )


async def _result(lease: door.LeaseToken) -> AsyncIterator[door.WriteArtifactSetRequest]:
    empty_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    kind = artifact_pb2.ARTIFACT_KIND_ADAPTER
    yield door.WriteArtifactSetRequest(
        set=door.ArtifactSetHeader(lease=lease, kind=kind, name="adapter", step=REPORT_COUNT, file_count=1)
    )
    yield door.WriteArtifactSetRequest(file=door.ArtifactFileHeader(path="README.md", size_bytes=0, sha256=empty_sha256))


async def _listed(stub: JobServiceStub, job_id: str) -> list[job_event_pb2.JobEvent]:
    request = jobs.ListJobEventsRequest(job_id=job_id, page_size=1000)
    answer = await stub.ListJobEvents(request)
    assert not answer.next_page_token
    return list(answer.events)
