"""The table of accelerators, and finding one by any of its names."""

import re

import pytest
from tunesmith.pool.v1 import pool_pb2

from services.preflight.devices import ACCELERATORS, AcceleratorSpec, find, suggestions

GIB = 2**30
# What drivers, clouds and people write, and what is meant.
NAMES = {
    "NVIDIA A100-SXM4-80GB": "NVIDIA A100 80GB",
    "NVIDIA A100 80GB PCIe": "NVIDIA A100 80GB",
    "a100": "NVIDIA A100 80GB",
    "A100-PCIE-40GB": "NVIDIA A100 40GB",
    "NVIDIA A100-SXM4-40GB": "NVIDIA A100 40GB",
    "NVIDIA H100 80GB HBM3": "NVIDIA H100 SXM",
    "h100": "NVIDIA H100 SXM",
    "NVIDIA H100 PCIe": "NVIDIA H100 PCIe",
    "NVIDIA H200": "NVIDIA H200",
    "NVIDIA B200": "NVIDIA B200",
    "l40s": "NVIDIA L40S",
    "NVIDIA L40": "NVIDIA L40",
    "NVIDIA L4": "NVIDIA L4",
    "NVIDIA A10": "NVIDIA A10",
    "NVIDIA A10G": "NVIDIA A10G",
    "A6000": "NVIDIA RTX A6000",
    "RTX 6000 Ada": "NVIDIA RTX 6000 Ada Generation",
    "NVIDIA RTX 6000 Ada Generation": "NVIDIA RTX 6000 Ada Generation",
    "rtx4090": "NVIDIA GeForce RTX 4090",
    "NVIDIA GeForce RTX 3090": "NVIDIA GeForce RTX 3090",
    "RTX 3060": "NVIDIA GeForce RTX 3060",
    "Tesla T4": "NVIDIA T4",
    "V100": "NVIDIA V100 16GB",
    "Tesla V100-SXM2-32GB": "NVIDIA V100 32GB",
    "AMD Instinct MI300X": "AMD Instinct MI300X",
}


@pytest.mark.parametrize(("written", "meant"), NAMES.items())
def test_a_device_is_found_however_it_is_written(written: str, meant: str) -> None:
    found = find(written)
    assert found is not None
    assert found.name == meant


def test_the_table_is_whole() -> None:
    assert len(ACCELERATORS) >= 18
    assert set(NAMES.values()) <= {spec.name for spec in ACCELERATORS}
    assert len({spec.name for spec in ACCELERATORS}) == len(ACCELERATORS)


@pytest.mark.parametrize("spec", ACCELERATORS, ids=lambda spec: spec.name)
def test_figures_are_possible_ones(spec: AcceleratorSpec) -> None:
    assert 8 * GIB < spec.memory_bytes < 256 * GIB
    assert 1e12 < spec.fp32_flops < 200e12
    assert spec.fp16_flops is not None
    assert spec.fp16_flops >= spec.fp32_flops
    assert spec.bf16_flops in (None, spec.fp16_flops)
    assert 2e11 < spec.memory_bandwidth < 1e13
    assert 1e10 <= spec.link_bandwidth <= spec.memory_bandwidth
    # FlashAttention 2 wants Ampere, which has bfloat16.
    assert spec.flash_attention == spec.bf16
    if spec.price is not None:
        assert 0.1 < spec.price.usd_per_hour < 20
        assert re.fullmatch(r"20\d\d-[01]\d", spec.price.month)
        assert spec.price.month in spec.price.detail


def test_memory_is_what_is_left_of_what_stands_on_the_box() -> None:
    sizes = {spec.name: int(match[1]) for spec in ACCELERATORS if (match := re.search(r"(\d+)GB", spec.name))}
    assert len(sizes) >= 4
    for spec in ACCELERATORS:
        if spec.name in sizes:
            assert 0.9 * sizes[spec.name] * GIB < spec.memory_bytes < sizes[spec.name] * GIB


def test_it_can_stand_for_a_pools_device() -> None:
    spec = find("H200")
    assert spec is not None
    device = spec.device()
    assert (device.kind, device.name, device.memory_bytes) == (pool_pb2.DEVICE_KIND_CUDA, spec.name, spec.memory_bytes)
    assert not device.HasField("measurement")


def test_a_misspelt_name_gets_suggestions() -> None:
    assert find("A1000") is None
    assert "NVIDIA A100 80GB" in suggestions("A1000")
    assert "NVIDIA GeForce RTX 4090" in suggestions("RTX 4080")
    assert len(suggestions("RTX 4080")) <= 3
    assert suggestions("Commodore 64") == []
