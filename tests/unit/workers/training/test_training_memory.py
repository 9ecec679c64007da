"""Memory is what a run holds, not what the process held before."""

import pytest
import torch

from workers.training.memory import MemoryMeter, release

MIB = 1 << 20


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU the allocator is measured, not the process")
def test_a_peak_outlives_what_made_it() -> None:
    release()
    meter = MemoryMeter()
    block = torch.ones(64 * MIB, dtype=torch.uint8)
    held = meter.now()
    del block
    release()
    assert 60 * MIB < held < 80 * MIB
    assert meter.now() < 20 * MIB
    assert meter.peak() >= held
    assert MemoryMeter().peak() < 20 * MIB
