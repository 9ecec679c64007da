"""`tunesmith parameters`, `tunesmith pools` and `tunesmith providers`."""

import json

from tunesmith.pool.v1 import pool_pb2
from tunesmith.reference import page

from services.parameter.usecases import parameters
from tests.fakes.control_plane import FakeControlPlane
from tests.unit.cli.conftest import Run
from workers.providers import PROVIDERS


def test_every_knob_with_its_range_and_default(run: Run) -> None:
    lines = run("parameters").stdout.splitlines()
    epochs = next(line for line in lines if line.startswith("schedule.epochs "))
    assert "1 to 20 epochs" in epochs
    assert " 3 " in epochs
    rate = next(line for line in lines if line.startswith("optimizer.learning_rate "))
    assert "above 0 to 1" in rate
    assert "1e-05" in rate
    assert any(line.startswith("model.base_model *") for line in lines)


def test_one_section(run: Run) -> None:
    lines = run("parameters", "optimizer.scheduler").stdout.splitlines()
    assert len(lines) == 1 + 4
    assert all(line.startswith("optimizer.scheduler.") for line in lines[1:])


def test_a_section_nobody_knows(run: Run) -> None:
    result = run("parameters", "optimiser")
    assert result.exit_code == 2
    assert "did you mean optimizer?" in result.stderr


def test_json_of_a_section(run: Run) -> None:
    shown = json.loads(run("parameters", "output", "-o", "json").stdout)
    assert [parameter["field_path"] for parameter in shown["parameters"]] == ["output.suffix"]


def test_pools_count_equal_devices(run: Run, plane: FakeControlPlane) -> None:
    gpu = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CUDA, name="H200", memory_bytes=141_000_000_000)
    cpu = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CPU, memory_bytes=32_000_000_000, core_count=16)
    plane.pools.append(pool_pb2.Pool(id="p1", state=pool_pb2.POOL_STATE_READY, providers=["local"], devices=[gpu, gpu, cpu]))
    line = run("pools", "list").stdout.splitlines()[1]
    assert "ready" in line
    assert "2 x H200 (141 GB), CPU (16 cores, 32 GB)" in line


def test_the_page_of_every_knob(run: Run) -> None:
    result = run("parameters", "--markdown")
    assert result.exit_code == 0
    assert result.stdout == page(parameters())
    assert run("parameters", "output", "--markdown").stdout.count("### ") == 1


def test_providers(run: Run) -> None:
    local, axolotl, unsloth = run("providers", "list").stdout.splitlines()[1:]
    assert (local.split()[0], axolotl.split()[0], unsloth.split()[0]) == ("local", "axolotl", "unsloth")
    assert "full, lora" in local
    shown = json.loads(run("providers", "list", "-o", "json").stdout)
    assert [one["id"] for one in shown["providers"]] == ["local", "axolotl", "unsloth"]


def test_one_provider_with_what_it_can_not_do(run: Run) -> None:
    shown = run("providers", "get", "local").stdout
    can = PROVIDERS["local"].capabilities
    assert len(can.limitations) >= 1
    for limitation in can.limitations:
        assert f"{limitation.field_path}{f' {limitation.value}' if limitation.value else ''}: {limitation.reason}" in shown
    assert "bf16" in shown
