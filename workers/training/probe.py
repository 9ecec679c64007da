"""How fast a device computes, found out in about two seconds of small measurements that can be spread over idle moments.

Each figure is of operations as a training step has them: operands that are not in the cache from the call before, memory that was
just given, and everything kept that the way back needs. Rates are those of the quietest quarter of the repetitions: what else the
machine does at the moment is not what the next job meets.
"""

import time
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as functional
from tunesmith.pool.v1 import device_measurement_pb2 as measurement_pb2

from workers.heap import trim

PRECISIONS: dict[measurement_pb2.MatmulPrecision, torch.dtype] = {
    measurement_pb2.MATMUL_PRECISION_FP32: torch.float32,
    measurement_pb2.MATMUL_PRECISION_BF16: torch.bfloat16,
}
ROWS = (256, 1024, 4096)
# Of the matrix, out and in: an adapter's two factors, then layers of growing models.
MATRICES = ((8, 512), (512, 8), (128, 128), (512, 512), (2048, 512), (512, 2048), (4096, 1024), (4096, 4096))
# Rows and columns of what one operation writes in float32, and how many blocks are chained: 64 KiB to 32 MiB.
CHAINS = ((128, 128, 16), (256, 512, 12), (1024, 512, 6), (2048, 1024, 2), (4096, 2048, 1))
# Of one block, forward and backward, as a trace of the operations counts them (a test holds this): bytes an element of float32,
# read and written, and operations.
BLOCK_BYTES_PER_ELEMENT = 184.0
BLOCK_OPERATIONS = 24
TINY, TINY_BLOCKS = 8, 16
ATTENTION_HEADS, ATTENTION_TOKENS, HEAD_SIZE = 8, 512, 64
# Two and a half times the way forward on the way back, where the scores are computed again.
ATTENTION_FLOPS = 3.5 * 4 * ATTENTION_HEADS * ATTENTION_TOKENS**2 * HEAD_SIZE
RANDOM_COUNT = 1 << 20
STREAM_BYTES = 64 << 20

# For how long one figure is repeated, the least number of repetitions, and what a single one may take.
_REPEAT_S, _LEAST, _MOST = 0.015, 3, 40
_LONGEST_S = 0.03
# What takes longer than this is measured once, behind a call that is not counted.
_SLOW_S = 0.05
# Operands of so many bytes are gone through in turn, so that none is in a core's cache.
_OPERANDS_BYTES = 8 << 20
_MOST_OPERANDS = 4


class Probe:
    """Measures one device, one figure at a time."""

    def __init__(self, device: str, idle_bytes: int) -> None:
        self._device = torch.device(device)
        self._found = measurement_pb2.DeviceMeasurement(idle_bytes=idle_bytes)
        self._steps = self._measure()

    def advance(self, seconds: float) -> measurement_pb2.DeviceMeasurement | None:
        """Go on for about so long, but for one figure at least; returns what was found once all of it is."""
        began = time.perf_counter()
        done = next(self._steps, None) is None
        while not done and time.perf_counter() - began < seconds:
            done = next(self._steps, None) is None
        # What was measured with goes back to the system: a job's memory is counted from here on.
        trim()
        self._found.probe_seconds += time.perf_counter() - began
        return self._found if done else None

    def _measure(self) -> Iterator[bool]:
        yield from self._small_operations()
        yield from self._products()
        yield from self._chains()
        yield from self._streams()
        yield from self._attention()
        yield from self._random_numbers()

    def _small_operations(self) -> Iterator[bool]:
        seconds = self._seconds(self._chain(TINY, TINY, TINY_BLOCKS))
        self._found.operation_seconds = seconds / (TINY_BLOCKS * BLOCK_OPERATIONS)
        yield True

    def _products(self) -> Iterator[bool]:
        for precision, dtype in PRECISIONS.items():
            rate = 0.0
            for m, n, k in sorted(((m, n, k) for m in ROWS for n, k in MATRICES), key=lambda size: size[0] * size[1] * size[2]):
                flops = 2.0 * m * n * k
                if rate and flops / rate > _LONGEST_S:
                    continue
                rate = flops / self._product_seconds(m, n, k, dtype)
                self._found.matmul_rates.add(precision=precision, m=m, n=n, k=k, flops_per_second=rate)
                yield True

    def _product_seconds(self, m: int, n: int, k: int, dtype: torch.dtype) -> float:
        size = dtype.itemsize * (m * k + n * k + m * n)
        count = max(1, min(_MOST_OPERANDS, _OPERANDS_BYTES // size))
        operands = [(self._numbers(m, k).to(dtype), self._numbers(n, k).to(dtype)) for _ in range(count)]
        return self._seconds(lambda: [functional.linear(rows, matrix) for rows, matrix in operands]) / count

    def _chains(self) -> Iterator[bool]:
        for rows, columns, blocks in CHAINS:
            seconds = self._seconds(self._chain(rows, columns, blocks))
            seconds -= self._found.operation_seconds * BLOCK_OPERATIONS * blocks
            moved = BLOCK_BYTES_PER_ELEMENT * rows * columns * blocks
            # What is as quick as the smallest operation says nothing about memory.
            if seconds > 0:
                self._found.memory_rates.add(bytes=4 * rows * columns, bytes_per_second=moved / seconds)
            yield True

    def _streams(self) -> Iterator[bool]:
        left, right, out = (torch.zeros(STREAM_BYTES // 4, device=self._device) for _ in range(3))
        seconds = self._seconds(lambda: torch.add(left, right, out=out))
        self._found.memory_bytes_per_second = 3 * STREAM_BYTES / seconds
        yield True
        if self._device.type == "cpu":
            # Above the size that the allocator keeps, memory comes from the system and goes back each time.
            seconds = self._seconds(lambda: torch.empty(STREAM_BYTES // 4).zero_())
            self._found.fresh_bytes_per_second = STREAM_BYTES / seconds
            yield True

    def _attention(self) -> Iterator[bool]:
        dtype = torch.bfloat16 if self._device.type == "cuda" else torch.float32
        shape = (1, ATTENTION_HEADS, ATTENTION_TOKENS, HEAD_SIZE)
        numbers = self._numbers(ATTENTION_HEADS * ATTENTION_TOKENS, HEAD_SIZE).to(dtype).view(shape)
        query, key, value = (numbers.clone().requires_grad_() for _ in range(3))
        mask = torch.ones(1, 1, ATTENTION_TOKENS, ATTENTION_TOKENS, dtype=torch.bool, device=self._device).tril()

        def run() -> None:
            functional.scaled_dot_product_attention(query, key, value, attn_mask=mask).sum().backward()

        self._found.attention_flops_per_second = ATTENTION_FLOPS / self._seconds(run)
        yield True

    def _random_numbers(self) -> Iterator[bool]:
        numbers = torch.empty(RANDOM_COUNT, device=self._device)
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            self._found.random_numbers_per_second = RANDOM_COUNT / self._seconds(lambda: numbers.bernoulli_(0.9))
        yield True

    def _chain(self, rows: int, columns: int, blocks: int) -> Callable[[], None]:
        start = self._numbers(rows, columns).requires_grad_()
        back = torch.ones_like(start)

        def run() -> None:
            chain(start, blocks).backward(back)
            start.grad = None

        return run

    def _numbers(self, rows: int, columns: int) -> torch.Tensor:
        # Zeros multiply faster than numbers on some hardware, and drawing random ones takes as long as a product.
        return torch.arange(rows * columns, dtype=torch.float32, device=self._device).sin_().view(rows, columns)

    def _seconds(self, work: Callable[[], object]) -> float:
        """What one call takes in a quiet moment."""
        first = self._timed(work)
        if first > _SLOW_S:
            # Not the second alone: what was disturbed once would count as slow for as long as the pool lives.
            return min(first, self._timed(work))
        end = time.perf_counter() + _REPEAT_S
        seen: list[float] = []
        while len(seen) < _LEAST or (time.perf_counter() < end and len(seen) < _MOST):
            seen.append(self._timed(work))
        return sorted(seen)[len(seen) // 4]

    def _timed(self, work: Callable[[], object]) -> float:
        began = time.perf_counter()
        work()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter() - began


def chain(start: torch.Tensor, blocks: int) -> torch.Tensor:
    """What a layer does between its products: a norm, an activation, a gate, a sum."""
    value = start
    for _ in range(blocks):
        scale = torch.rsqrt(value.pow(2).mean(-1, keepdim=True) + 1e-6)
        normal = value * scale
        value = value + functional.silu(normal) * normal
    return value


def idle_bytes(index: int) -> int:
    """What this process and the driver hold on a GPU besides torch's own blocks."""
    free, total = torch.cuda.mem_get_info(index)
    return total - free - torch.cuda.memory_reserved(index)
