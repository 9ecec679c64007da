"""Weights in four or eight bits.

bitsandbytes computes with them in kernels that know no fake tensors, so what these hold stands here.
"""

from typing import Any

import torch
from torch import nn

from workers.providers.execution import Execution

# bitsandbytes' block sizes: of weights, and of the scales of weights where these are quantized too.
_BLOCK, _BLOCK_OF_SCALES = 64, 256


def packed_bytes(count: int, rows: int, execution: Execution) -> int:
    """Bytes of so many weights and their scales.

    NF4 takes 0.5625 a weight, 0.516 with double quantization; eight bits take one, and four a row.
    """
    if execution.quantization_bits == 8:
        return count + 4 * rows
    scales = -(-count // _BLOCK)
    held = scales + 4 * -(-scales // _BLOCK_OF_SCALES) if execution.double_quantization else 4 * scales
    return -(-count // 2) + held


def product_of_packed(
    inputs: torch.Tensor, packed: torch.Tensor, columns: int, bias: torch.Tensor | None, bits: int
) -> torch.Tensor:
    """The product with a quantized matrix."""
    result: torch.Tensor = _PackedProduct.apply(inputs, packed, columns, bits)
    return result if bias is None else result + bias


class _PackedProduct(torch.autograd.Function):
    """A matrix is unpacked for a product and dropped behind it, in both directions.

    Eight-bit products quantize their inputs instead, add up in 32 bits, and keep the inputs (`MatMul8bitLt` of bitsandbytes).
    """

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, packed: torch.Tensor, columns: int, bits: int) -> torch.Tensor:
        ctx.columns, ctx.width = columns, inputs.shape[-1]
        shape = (*inputs.shape[:-1], columns)
        if bits == 8:
            ctx.inputs = inputs
            quantized = torch.empty(inputs.shape, dtype=torch.int8)
            summed = torch.empty(shape, dtype=torch.int32)
            result = torch.empty(shape, dtype=inputs.dtype)
            del quantized, summed
            return result
        matrix = torch.empty((columns, ctx.width), dtype=inputs.dtype)
        return nn.functional.linear(inputs, matrix)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        matrix = torch.empty((ctx.columns, ctx.width), dtype=gradient.dtype)
        return gradient @ matrix, None, None, None
