"""How much memory a run holds, and giving it back."""

import gc
from pathlib import Path

import psutil
import torch

from workers.heap import trim

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
# Resets the peak that the kernel keeps in VmHWM, see proc(5).
_RESET_PEAK = "5"
_KIB = 1024


class MemoryMeter:
    """Bytes held since the meter was made: by the GPU's allocator, or on a CPU by the process above what it held before."""

    def __init__(self) -> None:
        self._cuda = torch.cuda.is_available()
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
            return
        self._process = psutil.Process()
        self._baseline = self._process.memory_info().rss
        self._seen = 0
        self._kernel_counts = _reset_kernel_peak()

    def now(self) -> int:
        """On a GPU the peak so far, since its allocator is what overflows; on a CPU what is held now."""
        if self._cuda:
            return torch.cuda.max_memory_allocated()
        held = max(0, self._process.memory_info().rss - self._baseline)
        self._seen = max(self._seen, held)
        return held

    def peak(self) -> int:
        """The most that was held at once. Where the kernel keeps no peak, the most that `now` saw."""
        if self._cuda:
            return torch.cuda.max_memory_allocated()
        self.now()
        if not self._kernel_counts:
            return self._seen
        return max(self._seen, _kernel_peak() - self._baseline)


def release() -> None:
    """Give back what a run held, so that the next one in this process starts from the same place."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim()


def settle() -> None:
    """Take all that is loaded now for permanent: looking through it for garbage takes half a second each time."""
    release()
    gc.freeze()


def _reset_kernel_peak() -> bool:
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def _kernel_peak() -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * _KIB
