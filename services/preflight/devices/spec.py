"""What is known of an accelerator without having it."""

from dataclasses import dataclass

from tunesmith.pool.v1 import pool_pb2


@dataclass(frozen=True)
class ListPrice:
    """What an hour of one costs on demand: a typical list price of clouds, not the lowest and not what anybody was quoted."""

    usd_per_hour: float
    # The month it was looked at: `2026-05`.
    month: str

    @property
    def detail(self) -> str:
        """Where the price is from, for a person."""
        return f"on demand, typical cloud list price of {self.month}"


@dataclass(frozen=True)
class AcceleratorSpec:
    """One accelerator. Rates are peaks without sparsity; what training gets of them is a matter of estimates."""

    # As its maker writes it.
    name: str
    # Other ways in which clouds, drivers and people write it; case, spaces, hyphens and the maker's name make no difference.
    aliases: tuple[str, ...]
    # What its driver leaves a process, which is less than what stands on the box.
    memory_bytes: int
    # FLOP/s of products with float32 accumulation; None where the hardware has no such arithmetic.
    bf16_flops: float | None
    fp16_flops: float | None
    # Without TF32, which torch leaves off.
    fp32_flops: float
    # Bytes a second.
    memory_bandwidth: float
    # Bytes a second that it sends to its neighbours of one machine while it receives as many: NVLink, or else PCIe.
    link_bandwidth: float
    # FlashAttention 2 has kernels for it.
    flash_attention: bool
    fp8: bool
    # None where no cloud lists one.
    price: ListPrice | None

    @property
    def bf16(self) -> bool:
        """Whether it multiplies bfloat16."""
        return self.bf16_flops is not None

    def device(self) -> pool_pb2.Device:
        """As a pool would list it, without a measurement."""
        return pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CUDA, name=self.name, memory_bytes=self.memory_bytes)
