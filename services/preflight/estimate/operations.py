"""What a step is made of, whatever it runs on: products, attention, moved memory, small operations, random numbers."""

from dataclasses import dataclass, field

from tunesmith.pool.v1 import device_measurement_pb2

FP32 = device_measurement_pb2.MATMUL_PRECISION_FP32
BF16 = device_measurement_pb2.MATMUL_PRECISION_BF16


@dataclass(frozen=True, slots=True)
class Product:
    """m × k by k × n, so many times; how often is not whole where experts share the tokens."""

    m: int
    n: int
    k: int
    count: float
    precision: device_measurement_pb2.MatmulPrecision

    @property
    def flops(self) -> float:
        """Of all of them."""
        return 2.0 * self.m * self.n * self.k * self.count


@dataclass(frozen=True, slots=True)
class Movement:
    """Memory read and written by operations that compute next to nothing."""

    # Of all of them together.
    total_bytes: float
    # What one of them writes, which decides whether caches help and whether the memory is fresh.
    each_bytes: float


@dataclass
class Operations:
    """Everything that a pass, or a step, does on one device."""

    products: list[Product] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    # Of attention without a score matrix, and the size of a head.
    attention_flops: float = 0.0
    head_size: int = 64
    # Bytes that pass once through memory and are in no cache: weights, states.
    streamed_bytes: float = 0.0
    # Bytes of memory that the system gives anew in every step, because they were given back behind the one before.
    fresh_bytes: float = 0.0
    # How many operations are started.
    started: float = 0.0
    random_numbers: float = 0.0

    @property
    def flops(self) -> float:
        """Of products and attention."""
        return sum(product.flops for product in self.products) + self.attention_flops

    def move(self, total_bytes: float, each_bytes: float) -> None:
        """Move so much, in pieces of a size."""
        self.movements.append(Movement(total_bytes, each_bytes))
