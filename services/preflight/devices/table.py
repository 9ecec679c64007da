"""The table of accelerators, as of November 2026.

Peak rates and bandwidths: the makers' data sheets (NVIDIA B200/HGX, H200, H100, A100, L40S, L40, L4, A10, RTX A6000, RTX 6000
Ada, T4, V100; the Ampere GA102, Ada and Blackwell RTX whitepapers for GeForce cards, whose tensor cores run at half rate with
float32 accumulation; AWS' G5 page for the A10G; AMD's MI300X data sheet). Where a sheet prints rates with sparsity, half of them.
Memory: total capacity as torch reports it, from public out-of-memory messages and property dumps of these devices (for instance
pytorch/ao#4002: B200, 178.35 GiB). It differs by some hundred MiB between drivers and with error correction; the less is taken.
Prices: one GPU on demand. Those of 2026-05 are within the range of specialised clouds' lists of that month (mercatus-ai.com,
cloud GPU pricing, for A100 80GB, H100 and H200; aimultiple.com, GPU index: median of 37 lists for the H100 2.95 USD). Those of
2025-11 are what clouds listed about then, from memory: nobody looked them up. Lists differ by a factor of two to four, so a
price here tells the magnitude.
"""

from services.preflight.devices.spec import AcceleratorSpec, ListPrice

GIB = 2**30
TERA = 1e12
GIGA = 1e9
# Bytes a second and direction. A PCIe link of 16 lanes moves about four fifths of its nominal rate.
NVLINK_2, NVLINK_3, NVLINK_4, NVLINK_5 = 150 * GIGA, 300 * GIGA, 450 * GIGA, 900 * GIGA
PCIE_3, PCIE_4, PCIE_5 = 12 * GIGA, 25 * GIGA, 50 * GIGA
INFINITY_FABRIC = 448 * GIGA


def _spec(
    name: str,
    *aliases: str,
    gib: float,
    tflops: tuple[float | None, float | None, float],
    gb_per_s: float,
    link: float,
    usd: tuple[float, str] | None,
    flash: bool = True,
    fp8: bool = False,
) -> AcceleratorSpec:
    """`tflops` in bf16, fp16 and fp32; `usd` an hour, and the month of the price."""
    bf16, fp16, fp32 = (None if rate is None else rate * TERA for rate in tflops)
    assert fp32 is not None
    return AcceleratorSpec(
        name=name,
        aliases=aliases,
        memory_bytes=int(gib * GIB),
        bf16_flops=bf16,
        fp16_flops=fp16,
        fp32_flops=fp32,
        memory_bandwidth=gb_per_s * GIGA,
        link_bandwidth=link,
        flash_attention=flash,
        fp8=fp8,
        price=None if usd is None else ListPrice(*usd),
    )


ACCELERATORS: tuple[AcceleratorSpec, ...] = (
    _spec(
        "NVIDIA B200", "B200 180GB", "B200 SXM", "B200 192GB",
        gib=178.3, tflops=(2250, 2250, 75), gb_per_s=7700, link=NVLINK_5, usd=(5.99, "2025-11"), fp8=True,
    ),
    _spec(
        "NVIDIA H200", "H200 SXM", "H200 141GB", "H200 SXM 141GB", "H200 SXM5",
        gib=139.7, tflops=(989, 989, 67), gb_per_s=4800, link=NVLINK_4, usd=(3.79, "2026-05"), fp8=True,
    ),
    _spec(
        "NVIDIA H100 SXM", "H100", "H100 80GB", "H100 80GB HBM3", "H100 SXM5", "H100 SXM5 80GB", "H100 SXM 80GB",
        gib=79.1, tflops=(989, 989, 67), gb_per_s=3350, link=NVLINK_4, usd=(2.95, "2026-05"), fp8=True,
    ),
    _spec(
        "NVIDIA H100 PCIe", "H100 PCIe 80GB", "H100 80GB PCIe",
        gib=79.1, tflops=(756, 756, 51), gb_per_s=2000, link=PCIE_5, usd=(2.49, "2025-11"), fp8=True,
    ),
    _spec(
        "NVIDIA H100 NVL", "H100 NVL 94GB", "H100 94GB",
        gib=93.0, tflops=(835, 835, 60), gb_per_s=3900, link=NVLINK_3, usd=(2.79, "2025-11"), fp8=True,
    ),
    _spec(
        "NVIDIA A100 80GB", "A100", "A100 SXM4 80GB", "A100 80GB PCIe", "A100 PCIe 80GB", "A100 SXM 80GB", "A100 SXM",
        "A100 80GB SXM4",
        gib=79.1, tflops=(312, 312, 19.5), gb_per_s=1935, link=NVLINK_3, usd=(1.50, "2026-05"),
    ),
    _spec(
        "NVIDIA A100 40GB", "A100 SXM4 40GB", "A100 PCIe 40GB", "A100 40GB PCIe", "A100 SXM 40GB",
        gib=39.4, tflops=(312, 312, 19.5), gb_per_s=1555, link=NVLINK_3, usd=(1.29, "2025-11"),
    ),
    _spec(
        "NVIDIA L40S", "L40S 48GB",
        gib=44.4, tflops=(362, 362, 91.6), gb_per_s=864, link=PCIE_4, usd=(0.99, "2025-11"), fp8=True,
    ),
    _spec(
        "NVIDIA L40", "L40 48GB",
        gib=44.4, tflops=(181, 181, 90.5), gb_per_s=864, link=PCIE_4, usd=(0.99, "2025-11"), fp8=True,
    ),
    _spec(
        "NVIDIA L4", "L4 24GB",
        gib=22.0, tflops=(121, 121, 30.3), gb_per_s=300, link=PCIE_4, usd=(0.71, "2025-11"), fp8=True,
    ),
    _spec(
        "NVIDIA A10", "A10 24GB", "A10 PCIe",
        gib=22.0, tflops=(125, 125, 31.2), gb_per_s=600, link=PCIE_4, usd=(0.75, "2025-11"),
    ),
    _spec(
        "NVIDIA A10G", "A10G 24GB",
        gib=22.0, tflops=(70, 70, 35), gb_per_s=600, link=PCIE_4, usd=(1.01, "2025-11"),
    ),
    _spec(
        "NVIDIA RTX A6000", "A6000", "RTX A6000 48GB", "A6000 48GB",
        gib=47.4, tflops=(155, 155, 38.7), gb_per_s=768, link=PCIE_4, usd=(0.80, "2025-11"),
    ),
    _spec(
        "NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada", "6000 Ada", "RTX 6000 Ada 48GB",
        gib=47.4, tflops=(364, 364, 91.1), gb_per_s=960, link=PCIE_4, usd=(0.79, "2025-11"), fp8=True,
    ),
    _spec(
        "NVIDIA GeForce RTX 5090", "RTX 5090", "5090", "RTX 5090 32GB",
        gib=31.3, tflops=(209, 209, 104.8), gb_per_s=1792, link=PCIE_5, usd=(0.89, "2025-11"), fp8=True,
    ),
    _spec(
        "NVIDIA GeForce RTX 4090", "RTX 4090", "4090", "RTX 4090 24GB",
        gib=23.5, tflops=(165, 165, 82.6), gb_per_s=1008, link=PCIE_4, usd=(0.69, "2025-11"), fp8=True,
    ),
    _spec(
        "NVIDIA GeForce RTX 3090", "RTX 3090", "3090", "RTX 3090 24GB",
        gib=23.6, tflops=(71, 71, 35.6), gb_per_s=936, link=PCIE_4, usd=(0.46, "2025-11"),
    ),
    _spec(
        "NVIDIA GeForce RTX 3060", "RTX 3060", "3060", "RTX 3060 12GB",
        gib=11.7, tflops=(25.5, 25.5, 12.7), gb_per_s=360, link=PCIE_4, usd=None,
    ),
    _spec(
        "NVIDIA T4", "T4 16GB",
        gib=14.6, tflops=(None, 65, 8.1), gb_per_s=300, link=PCIE_3, usd=(0.35, "2025-11"), flash=False,
    ),
    _spec(
        "NVIDIA V100 16GB", "V100", "V100 SXM2 16GB", "V100 PCIe 16GB", "V100 SXM2",
        gib=15.7, tflops=(None, 125, 15.7), gb_per_s=900, link=NVLINK_2, usd=(2.48, "2025-11"), flash=False,
    ),
    _spec(
        "NVIDIA V100 32GB", "V100 SXM2 32GB", "V100 PCIe 32GB", "V100 SXM3 32GB",
        gib=31.7, tflops=(None, 125, 15.7), gb_per_s=900, link=NVLINK_2, usd=(3.90, "2025-11"), flash=False,
    ),
    _spec(
        "AMD Instinct MI300X", "MI300X", "MI300X 192GB", "MI300X OAM",
        gib=191.6, tflops=(1307, 1307, 163.4), gb_per_s=5300, link=INFINITY_FABRIC, usd=(2.49, "2025-11"), fp8=True,
    ),
)  # fmt: skip
