"""Tensors that have a shape, a type and a device but no numbers, in place of a model's parameters and buffers."""

import types
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from workers.estimating.quantized import packed_bytes, product_of_packed
from workers.providers.execution import Execution

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def put_fakes(model: nn.Module, fake: FakeTensorMode, execution: Execution, *, adapted: bool) -> None:
    """Give the model parameters and buffers that it can compute with, each in the type that the execution holds it in.

    Call inside of `fake`. Tied parameters stay tied.
    """
    made: dict[int, nn.Parameter] = {}
    packed = _packed_weights(model) if adapted and execution.quantization_bits else set()
    for module in model.modules():
        if id(module) in packed:
            weight = _pack(module, execution)
            made[id(weight)] = module._parameters["weight"] = weight
        for name, parameter in list(module._parameters.items()):
            if parameter is None:
                continue
            if id(parameter) not in made:
                made[id(parameter)] = _fake_parameter(parameter, execution, adapted=adapted)
            module._parameters[name] = made[id(parameter)]
        for name, buffer in list(module._buffers.items()):
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)
    # A soft prompt's numbers are kept beside the model.
    prompts = getattr(model, "prompt_tokens", None)
    if isinstance(prompts, dict):
        for name, tokens in prompts.items():
            prompts[name] = torch.empty(tokens.shape, dtype=tokens.dtype)


def _fake_parameter(parameter: nn.Parameter, execution: Execution, *, adapted: bool) -> nn.Parameter:
    moves = parameter.requires_grad
    held = execution.trained_dtype if not adapted else execution.adapter_dtype if moves else execution.frozen_dtype
    return nn.Parameter(torch.empty(parameter.shape, dtype=DTYPES[held]), requires_grad=moves)


def _packed_weights(model: Any) -> set[int]:
    """Linear layers whose weights are quantized: frozen ones, except the output layer and what is tied to it."""
    output = model.get_base_model().get_output_embeddings()
    return {
        id(module)
        for module in model.modules()
        if isinstance(module, nn.Linear) and module is not output and not module.weight.requires_grad
    }


def _pack(module: Any, execution: Execution) -> nn.Parameter:
    """Have a layer compute with a packed weight; answers that."""
    size = packed_bytes(module.weight.numel(), module.out_features, execution)
    bits, dtype = execution.quantization_bits, DTYPES[execution.frozen_dtype]

    def forward(self: nn.Linear, inputs: torch.Tensor) -> torch.Tensor:
        return product_of_packed(inputs.to(dtype), self.weight, self.out_features, self.bias, bits)

    module.forward = types.MethodType(forward, module)
    return nn.Parameter(torch.empty(size, dtype=torch.uint8), requires_grad=False)
