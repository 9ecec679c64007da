"""The whole model in the first process, of one whose weights are split over all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def whole(trainer: Any, *, first: bool) -> Iterator[None]:
    """Gather the weights in main memory, and let the first process's model have them meanwhile. Called by all processes.

    The model is to be saved and not to be run: its layers would look for their parts.
    """
    gathered: dict[str, torch.Tensor] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if not first:
        yield
        return
    model = trainer.model
    taken_out: list[tuple[torch.nn.Module, str, torch.nn.Parameter]] = []
    # A weight under two names stays one.
    made: dict[int, torch.nn.Parameter] = {}
    try:
        for path, module in model.named_modules():
            for name, parameter in list(module._parameters.items()):
                if parameter is None:
                    continue
                full = gathered[f"{path}.{name}" if path else name]
                taken_out.append((module, name, parameter))
                module._parameters[name] = made.setdefault(
                    id(parameter), torch.nn.Parameter(full, requires_grad=parameter.requires_grad)
                )
        yield
    finally:
        for module, name, parameter in taken_out:
            module._parameters[name] = parameter
