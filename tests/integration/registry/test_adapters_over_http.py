"""Adapters and recipes over JSON and raw bodies, through a real Envoy in front of a registry in a process of its own."""

import asyncio
import http.client
import json
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tunesmith.client.blocking import Tunesmith
from tunesmith.registry.v1.registry_service_pb2 import CreateBaseModelRequest
from tunesmith.registry.v1.registry_service_pb2_grpc import RegistryServiceStub

from services.chassis.settings import Settings
from supervisor import envoy
from supervisor.probes import free_port
from tests.integration.registry.conftest import Process
from tests.unit.services.registry.adapters.files import CONFIG, WEIGHTS, archive, entry, lora, packed, settings, tensors
from tests.unit.services.registry.models import write_model

pytestmark = pytest.mark.integration

MODEL = "me/tiny"
START_S = 30
MIB = 1024 * 1024


@dataclass
class Door:
    """The gateway's port, and the registry behind it."""

    port: int
    process: Process

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, json.dumps(body) if isinstance(body, dict) else body)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()

    def upload(self, body: bytes, query: str = f"base_model={MODEL}&display_name=mine") -> tuple[int, Any]:
        return self.call("POST", f"/v1/adapters:upload?{query}", body)

    def answers(self) -> bool:
        try:
            return self.call("GET", "/v1/adapters")[0] == 200
        except (OSError, ValueError):
            return False


@pytest.fixture
async def door(process: Process, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    folder = process.home / "imports"
    monkeypatch.setenv("TUNESMITH_IMPORT_ROOTS", str(folder))
    channel = await process.start()
    model = await asyncio.to_thread(write_model, folder / "tiny")
    await RegistryServiceStub(channel).CreateBaseModel(CreateBaseModelRequest(local_folder=str(model), hub_repo=MODEL))
    await channel.close()
    own = Settings(
        port=free_port("127.0.0.1"),
        worker_port=free_port("127.0.0.1"),
        home=process.home,
        services_address=f"unix:{process.home}/nobody",
        registry_address=process.address,
    )
    gateway = subprocess.Popen(envoy.command(envoy.write_configuration(own, process.home)))  # noqa: ASYNC220
    made = Door(own.port, process)
    try:
        deadline = time.monotonic() + START_S
        while not await asyncio.to_thread(made.answers):
            assert gateway.poll() is None and time.monotonic() < deadline
            await asyncio.sleep(0.1)
        yield made
    finally:
        gateway.terminate()
        gateway.wait(10)


async def test_an_adapter_comes_as_a_raw_body_and_goes_as_files(door: Door, tmp_path: Path) -> None:
    def work() -> None:
        status, answer = door.upload(packed(lora()))
        assert status == 200, answer
        adapter = answer["adapter"]
        assert (adapter["display_name"], adapter["status"], adapter["type"]) == (
            "mine",
            "ADAPTER_STATUS_READY",
            "ADAPTER_TYPE_LORA",
        )
        assert {file["path"] for file in adapter["files"]} == {CONFIG, WEIGHTS}
        _, other = door.upload(packed(lora(weights=tensors(seed=5))), f"base_model={MODEL}&display_name=other&description=second")
        body = {"components": [{"adapter_id": adapter["id"], "weight": 0.5}, {"adapter_id": other["adapter"]["id"]}]}
        status, total = door.call("POST", "/v1/adapters:compose", body)
        assert (status, total["adapter"]["rank"], total["adapter"]["display_name"]) == (200, 4, "mine+other")
        status, listed = door.call("GET", f"/v1/adapters?base_model={MODEL}&type=ADAPTER_TYPE_LORA&status=ADAPTER_STATUS_READY")
        assert (status, len(listed["adapters"])) == (200, 3)
        changed = door.call("PATCH", f"/v1/adapters/{adapter['id']}", {"metrics": {"accuracy": 0.5}})
        assert changed[0] == 200 and changed[1]["adapter"]["metrics"] == {"accuracy": 0.5}
        with Tunesmith(f"127.0.0.1:{door.port}") as client:
            written = client.download_adapter(total["adapter"]["id"], tmp_path / "out")
            assert {path.name for path in written} == {CONFIG, WEIGHTS}
            folder = client.upload_adapter(tmp_path / "out", base_model=MODEL)
            assert folder.parameter_count == int(total["adapter"]["parameter_count"])
        assert door.call("DELETE", f"/v1/adapters/{adapter['id']}") == (200, {})
        assert door.call("GET", f"/v1/adapters/{adapter['id']}")[0] == 404

    await asyncio.to_thread(work)


async def test_a_bad_archive_is_refused_by_its_entry(door: Door) -> None:
    def work() -> None:
        status, answer = door.upload(archive(entry("../../etc/adapter_config.json", b"{}")))
        assert status == 400
        assert "'../../etc/adapter_config.json' leads out of the archive" in answer["message"]
        status, answer = door.upload(packed({**lora(), "adapter_model.bin": b"\x80"}))
        assert status == 400 and "adapter/adapter_model.bin is a pickle" in answer["message"]
        status, answer = door.upload(b"")
        assert status == 400 and "no tar archive" in answer["message"]
        assert door.call("GET", "/v1/adapters")[1]["adapters"] == []

    await asyncio.to_thread(work)
    assert [path for path in (door.process.home / "adapters").rglob("*") if path.is_file()] == []


async def test_what_is_refused_early_is_told_although_more_comes(door: Door) -> None:
    """A client that reads no answer before it has sent its file."""
    body = archive(entry("model.pt", b"x")) + bytes(64 * MIB)
    status, answer = await asyncio.to_thread(door.upload, body)
    assert status == 400 and "model.pt is a pickle" in answer["message"]


async def test_recipes_over_json(door: Door) -> None:
    def work() -> None:
        recipe = {
            "display_name": "mine",
            "type": "RECIPE_TYPE_LORA",
            "defaults": {"method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 8}}},
        }
        status, answer = door.call("POST", "/v1/recipes", {"recipe": recipe})
        assert status == 200 and answer["recipe"]["active"] is True
        recipe_id = answer["recipe"]["id"]
        assert door.call("GET", "/v1/recipes/mine")[1]["recipe"]["id"] == recipe_id
        status, answer = door.call("PUT", f"/v1/recipes/{recipe_id}", {"recipe": {**recipe, "description": "new"}})
        assert (status, answer["recipe"]["description"]) == (200, "new")
        wrong = {**recipe, "defaults": {"schedule": {"epochs": -1}}}
        status, answer = door.call("PUT", f"/v1/recipes/{recipe_id}", {"recipe": wrong})
        assert status == 400 and "recipe.defaults.schedule.epochs" in answer["message"]
        status, answer = door.call("POST", "/v1/recipes", {"recipe": {**recipe, "defaults": {"method": {"tipe": 1}}}})
        assert status == 400 and "tipe" in answer["message"]
        assert len(door.call("GET", "/v1/recipes?type=RECIPE_TYPE_LORA&active_only=true")[1]["recipes"]) == 1
        assert door.call("DELETE", f"/v1/recipes/{recipe_id}") == (200, {})

    await asyncio.to_thread(work)


async def test_a_large_adapter_takes_little_memory(door: Door) -> None:
    """One of 192 MiB, whose head was trained whole, beside what the idle process has."""

    def work() -> int:
        door.upload(packed(lora()))
        idle = door.process.peak_bytes()
        whole = {"base_model.model.lm_head.weight": np.zeros((192 * MIB // 32, 8), np.float32)}
        body = packed(lora(configuration=settings(modules_to_save=["lm_head"]), weights=tensors() | whole))
        status, answer = door.upload(body)
        assert status == 200 and int(answer["adapter"]["size_bytes"]) > 192 * MIB
        return door.process.peak_bytes() - idle

    assert await asyncio.to_thread(work) < 64 * MIB
