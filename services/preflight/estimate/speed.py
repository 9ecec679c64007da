"""How fast a device is: by its pool's own probe, by its maker's figures, or by what processors of its kind do."""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from tunesmith.pool.v1 import device_measurement_pb2, pool_pb2
from tunesmith.preflight.v1 import estimate_pb2

from services.preflight.devices import AcceleratorSpec, find
from services.preflight.estimate.operations import BF16, FP32, Movement, Operations, Product

Measurement = device_measurement_pb2.DeviceMeasurement

# Half the interval, as a share of the estimate: from a maker's figures (published rates of other people's runs, whose conditions
# are half known, lie between 0.8 and 1.4 of the estimates), after a probe, and of a processor that was not measured.
COLD_ERROR, PROBED_ERROR, UNKNOWN_ERROR = 0.35, 0.15, 0.50

# Of the peak that a large product gets, and of the bandwidth that one operation gets, without a compiler: with these,
# models of 3B to 8B come near the rates that PEFT (L40S), LLaMA-Factory (A100) and torchtitan (H100, eager) have published.
PRODUCT_EFFICIENCY, BANDWIDTH_EFFICIENCY, ATTENTION_EFFICIENCY = 0.68, 0.80, 0.35
# What one operation wrote, the next one finds in the cache if it is not larger than this, and reads it so much faster.
CACHED_BYTES, CACHE_GAIN = 16 << 20, 2.0
# Rows and columns at which a product gets half of that.
HALF_WAY = 48.0
# The interpreter and the driver, for one operation forward and back.
ACCELERATOR_OPERATION_S = 9e-6
# A core of a present server with 256 to 512-bit vectors, for processors that were not measured.
CORE_FLOPS, CORE_BYTES_PER_S, CPU_OPERATION_S = 60e9, 12e9, 4e-6
RANDOM_PER_S_OF_CORE, RANDOM_PER_S_OF_ACCELERATOR = 0.1e9, 50e9
# A trainer's operation, with modules, hooks, adapters and bookkeeping around it, as a multiple of one in a bare loop: the slope
# of a step's seconds over the layers of a model that is next to nothing.
AROUND_OPERATION = 5.0
# Heads of 64 were measured; a smaller head leaves less to multiply between the exponentials.
_HEAD_MEASURED, _HEAD_OVERHEAD = 64, 11


@dataclass(frozen=True)
class Speed:
    """Seconds that operations take on one device."""

    source: estimate_pb2.SpeedSource
    # Half the width of the interval that holds a step's seconds, as a share of them.
    error: float
    # Where the figures are from, in a sentence.
    remark: str
    measurement: Measurement | None = None
    spec: AcceleratorSpec | None = None
    core_count: int = 0
    # Whether operations are only started by the processor and run beside it.
    starts_ahead: bool = False

    @classmethod
    def of(cls, device: pool_pb2.Device) -> "Speed | None":
        """By what is known of the device; None for a GPU that was not measured and stands in no table."""
        cuda = device.kind == pool_pb2.DEVICE_KIND_CUDA
        if (
            any(one.flops_per_second > 0 for one in device.measurement.matmul_rates)
            and device.measurement.memory_bytes_per_second > 0
        ):
            remark = "step time rests on what the pool measured of itself"
            return cls(estimate_pb2.SPEED_SOURCE_PROBE, PROBED_ERROR, remark, device.measurement, starts_ahead=cuda)
        table = estimate_pb2.SPEED_SOURCE_DEVICE_TABLE
        if not cuda:
            cores = max(1, device.core_count)
            remark = f"step time rests on {cores} cores as they usually are: the pool has not measured itself yet"
            return cls(table, UNKNOWN_ERROR, remark, core_count=cores)
        spec = find(device.name)
        if spec is None:
            return None
        share = round(100 * PRODUCT_EFFICIENCY)
        remark = f"step time rests on {spec.name}'s peak rates, of which large products get {share} % without a compiler"
        return cls(table, COLD_ERROR, remark, spec=spec, starts_ahead=True)

    def seconds(self, operations: Operations) -> float:
        """What all of them take, one after the other."""
        computing = sum(self._product(product) for product in operations.products)
        computing += operations.attention_flops / self._attention_rate(operations.head_size)
        moving = sum(self._movement(movement) for movement in operations.movements)
        moving += operations.streamed_bytes / self.stream_rate
        if self.measurement is not None and self.measurement.fresh_bytes_per_second:
            moving += operations.fresh_bytes / self.measurement.fresh_bytes_per_second
        moving += operations.random_numbers / self._random_rate
        starting = operations.started * self._operation_seconds
        # Where the processor runs ahead, starting costs nothing until it is what takes longest.
        return max(computing + moving, starting) if self.starts_ahead else computing + moving + starting

    @cached_property
    def stream_rate(self) -> float:
        """Bytes a second through memory that is in no cache."""
        if self.measurement is not None:
            return self.measurement.memory_bytes_per_second
        if self.spec is not None:
            return self.spec.memory_bandwidth * BANDWIDTH_EFFICIENCY
        return CORE_BYTES_PER_S * self.core_count

    def _product(self, product: Product) -> float:
        return product.flops / self.product_rate(product.m, product.n, product.k, product.precision)

    def product_rate(self, m: int, n: int, k: int, precision: device_measurement_pb2.MatmulPrecision) -> float:
        """FLOP a second of an m × k by k × n product."""
        if self.measurement is not None:
            return self._measured_rate(m, n, k, precision)
        if self.spec is not None:
            peak = self.spec.fp32_flops
            if precision == BF16:
                peak = self.spec.bf16_flops or self.spec.fp16_flops or peak
            narrow = math.prod(size / (size + HALF_WAY) for size in (m, n, k))
            moved = 2.0 * (m * n + n * k + m * k)
            # A product with a narrow matrix waits for memory.
            return min(peak * PRODUCT_EFFICIENCY * narrow, 2.0 * m * n * k / moved * self.stream_rate)
        return CORE_FLOPS * self.core_count * math.prod(size / (size + 8.0) for size in (m, n, k))

    def _measured_rate(self, m: int, n: int, k: int, precision: device_measurement_pb2.MatmulPrecision) -> float:
        """Between measured sizes: the mean of rates' logarithms, weighted by how near their sizes' logarithms are."""
        known = self._rates.get(precision) or self._rates.get(FP32) or next(iter(self._rates.values()))
        wanted = [min(max(math.log2(size), low), high) for size, (low, high) in zip((m, n, k), known.ranges, strict=True)]
        total = weights = 0.0
        for sizes, rate in known.rates:
            distance = sum((size - other) ** 2 for size, other in zip(sizes, wanted, strict=True))
            if distance < 1e-6:
                return math.exp(rate)
            weight = 1 / distance**2
            total += weight * rate
            weights += weight
        return math.exp(total / weights)

    @cached_property
    def _rates(self) -> dict[int, "_Rates"]:
        assert self.measurement is not None
        by_precision: dict[int, list[tuple[tuple[float, float, float], float]]] = {}
        for one in self.measurement.matmul_rates:
            if not _is_rate(one):
                continue
            sizes = (math.log2(one.m), math.log2(one.n), math.log2(one.k))
            by_precision.setdefault(one.precision, []).append((sizes, math.log(one.flops_per_second)))
        return {precision: _Rates(rates) for precision, rates in by_precision.items()}

    def _attention_rate(self, head_size: int) -> float:
        wide = head_size / (head_size + _HEAD_OVERHEAD) * (_HEAD_MEASURED + _HEAD_OVERHEAD) / _HEAD_MEASURED
        if self.measurement is not None and self.measurement.attention_flops_per_second:
            return self.measurement.attention_flops_per_second * wide
        if self.spec is not None:
            peak = self.spec.bf16_flops or self.spec.fp16_flops or self.spec.fp32_flops
            return peak * (ATTENTION_EFFICIENCY if self.spec.flash_attention else ATTENTION_EFFICIENCY / 2) * wide
        return self.product_rate(512, 512, 512, FP32) * 0.7 * wide

    def _movement(self, movement: Movement) -> float:
        rates = self._memory_rates
        if not rates:
            near = CACHE_GAIN if self.spec is not None and movement.each_bytes <= CACHED_BYTES else 1.0
            return movement.total_bytes / (self.stream_rate * near)
        wanted = math.log(max(1.0, movement.each_bytes))
        if wanted <= rates[0][0]:
            return movement.total_bytes / math.exp(rates[0][1])
        for (size, rate), (next_size, next_rate) in pairwise(rates):
            if wanted <= next_size:
                share = (wanted - size) / (next_size - size)
                return movement.total_bytes / math.exp(rate + share * (next_rate - rate))
        return movement.total_bytes / math.exp(rates[-1][1])

    @cached_property
    def _memory_rates(self) -> list[tuple[float, float]]:
        if self.measurement is None:
            return []
        known = [one for one in self.measurement.memory_rates if min(one.bytes, one.bytes_per_second) > 0]
        return sorted((math.log(one.bytes), math.log(one.bytes_per_second)) for one in known)

    @cached_property
    def _operation_seconds(self) -> float:
        if self.measurement is not None:
            return self.measurement.operation_seconds * AROUND_OPERATION
        return ACCELERATOR_OPERATION_S if self.spec is not None else CPU_OPERATION_S

    @cached_property
    def _random_rate(self) -> float:
        if self.measurement is not None and self.measurement.random_numbers_per_second:
            return self.measurement.random_numbers_per_second
        return RANDOM_PER_S_OF_ACCELERATOR if self.starts_ahead else RANDOM_PER_S_OF_CORE


def _says_enough(measurement: Measurement) -> bool:
    """Whether a step can be computed from it: pools say what they like."""
    return measurement.memory_bytes_per_second > 0 and any(_is_rate(one) for one in measurement.matmul_rates)


def _is_rate(rate: device_measurement_pb2.MatmulRate) -> bool:
    return min(rate.m, rate.n, rate.k, rate.flops_per_second) > 0


class _Rates:
    """Rates of one precision, and the sizes between which they were measured; all as logarithms."""

    def __init__(self, rates: list[tuple[tuple[float, float, float], float]]) -> None:
        self.rates = rates
        self.ranges = [(min(sizes), max(sizes)) for sizes in zip(*(sizes for sizes, _ in rates), strict=True)]
