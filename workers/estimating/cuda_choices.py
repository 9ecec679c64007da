"""What torch does otherwise on a GPU than on the CPU that fake tensors pretend to be on.

Fake tensors on a GPU need a torch that was built for one; a pool that estimates may have none. So the step is run as if on a
CPU, and each call whose kernel, and so whose memory, differs is turned into the one that a GPU would run:

- attention runs in the flash kernel (16 bits, no mask), in the memory-efficient one (which takes masks, one size of heads and
  the same number of them for keys as for queries), and else from its score matrix;
- autocast computes norms, softmaxes and powers in float32, which a CPU's leaves as they are;
- dropout keeps a mask of a byte an element, where a CPU keeps one as wide as its input.
"""

from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_HALF = (torch.bfloat16, torch.float16)
_LARGEST_FLASH_HEAD = 256
# Elements that a mask's rows are padded to for the memory-efficient kernel, and that its heads have to be a multiple of.
_MASK_ALIGNMENT = 16
_HEAD_ALIGNMENT = {torch.float32: 4, torch.bfloat16: 8, torch.float16: 8}
# Of torch's lists for CUDA (aten/src/ATen/autocast_mode.h, fp32 and fp32_set_opt_dtype), what language models call: those whose
# inputs are made float32, and those that are told to compute in it.
_IN_FLOAT32 = {
    "layer_norm", "group_norm", "norm", "logsumexp", "softplus",
    "exp", "expm1", "log", "log1p", "log2", "log10", "pow", "__pow__", "__rpow__", "reciprocal", "rsqrt", "cross_entropy",
    "nll_loss", "mse_loss", "l1_loss", "kl_div", "cosine_similarity",
}  # fmt: skip
_TOLD_FLOAT32 = {"softmax", "log_softmax", "cumsum", "cumprod", "prod", "sum"}


class CudaChoices(TorchFunctionMode):
    """Calls what a GPU would run. `flash` says that attention runs in the flash kernel whatever torch would choose."""

    def __init__(self, *, flash: bool) -> None:
        super().__init__()
        self._flash = flash

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is functional.scaled_dot_product_attention:
            return _attention(*args, **kwargs, force_flash=self._flash)
        name = getattr(func, "__name__", "")
        if name == "dropout":
            return _dropout(*args, **kwargs)
        if torch.is_autocast_enabled("cpu"):
            if name in _IN_FLOAT32:
                args, kwargs = _in_float32(args), {key: _in_float32(value) for key, value in kwargs.items()}
            elif name in _TOLD_FLOAT32 and _is_half(args) and "dtype" not in kwargs:
                kwargs = {**kwargs, "dtype": torch.float32}
        return func(*args, **kwargs)


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    force_flash: bool = False,
) -> torch.Tensor:
    """Attention by the kernel that `sdp_utils.cpp` chooses for these inputs."""
    if torch.is_autocast_enabled("cpu"):
        # Attention is on autocast's list of what is computed in 16 bits.
        query, key, value = (one.to(torch.get_autocast_dtype("cpu")) for one in (query, key, value))
    width, same_width = query.shape[-1], query.shape[-1] == key.shape[-1] == value.shape[-1]
    if force_flash or (attn_mask is None and query.dtype in _HALF and same_width and width <= _LARGEST_FLASH_HEAD):
        padded = [functional.pad(one, (0, -one.shape[-1] % 8)) if one.shape[-1] % 8 else one for one in (query, key, value)]
        result: torch.Tensor = torch.ops.aten._scaled_dot_product_flash_attention(
            *padded, dropout_p, is_causal, False, scale=scale
        )[0]
        return result[..., : value.shape[-1]]
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill_(attn_mask.logical_not(), float("-inf"))
    aligned = not any(one.shape[-1] % _HEAD_ALIGNMENT.get(one.dtype, 1) for one in (query, value))
    if not enable_gqa and aligned and query.shape[-1] == key.shape[-1]:
        bias = None if attn_mask is None else _fitting_mask(attn_mask, query, key)
        keep = any(one.requires_grad for one in (query, key, value)) and torch.is_grad_enabled()
        kept: torch.Tensor = torch.ops.aten._scaled_dot_product_efficient_attention(
            query, key, value, bias, keep, dropout_p, is_causal, scale=scale
        )[0]
        return kept
    scored: torch.Tensor = torch.ops.aten._scaled_dot_product_attention_math(
        query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
    )[0]
    return scored


def _fitting_mask(mask: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """A mask whose rows are aligned and that has as many heads as the queries, without copying it for each."""
    if missing := -mask.shape[-1] % _MASK_ALIGNMENT:
        mask = functional.pad(mask, (0, missing))[..., : key.shape[-2]]
    return mask.expand(query.shape[0], query.shape[1], query.shape[2], key.shape[2])


def _dropout(input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> torch.Tensor:
    if not training or p == 0:
        return input
    result: torch.Tensor = torch.native_dropout(input, p, True)[0]
    return result


def _is_half(arguments: Any) -> bool:
    return isinstance(arguments[0], torch.Tensor) and arguments[0].dtype in _HALF if arguments else False


def _in_float32(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.dtype in _HALF:
        return value.float()
    return type(value)(_in_float32(one) for one in value) if type(value) in (list, tuple) else value
