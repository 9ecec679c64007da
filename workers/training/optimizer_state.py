"""An optimiser's memory of earlier steps, by the names of the parameters it moves."""

import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch.optim import Optimizer

# bitsandbytes makes them itself, one table for all parameters.
_TABLES = ("qmap1", "qmap2")
_SEPARATOR = "/"

Names = dict[torch.Tensor, str]


class WrongParameters(Exception):
    """The optimiser moves other parameters than the stored one did."""


def plain(optimizer: Any) -> Optimizer:
    """The optimiser itself, without what accelerate wraps around it."""
    return getattr(optimizer, "optimizer", optimizer)


def tensors_of(optimizer: Optimizer, names: Names) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of the state, named `exp_avg/<parameter>`."""
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            if isinstance(value, torch.Tensor) and key not in _TABLES:
                yield f"{key}{_SEPARATOR}{names[parameter]}", value


def numbers_of(optimizer: Optimizer, names: Names) -> dict[str, Any]:
    """The rest of the state as JSON: groups of parameters with their settings, and what is counted per parameter."""
    groups = [
        {"settings": _settings(group), "parameters": [names[parameter] for parameter in group["params"]]}
        for group in optimizer.param_groups
    ]
    counted = {
        names[parameter]: {key: value for key, value in values.items() if not isinstance(value, torch.Tensor)}
        for parameter, values in optimizer.state.items()
    }
    return {"groups": groups, "counted": counted}


def restore_numbers(optimizer: Optimizer, names: Names, numbers: dict[str, Any]) -> None:
    """Set groups and counts, and have bitsandbytes make the buffers that its first step would make.

    Raises WrongParameters if groups are not those that were stored.
    """
    stored = [group["parameters"] for group in numbers["groups"]]
    if stored != [[names[parameter] for parameter in group["params"]] for group in optimizer.param_groups]:
        raise WrongParameters("the optimiser's groups hold other parameters")
    for group, saved in zip(optimizer.param_groups, numbers["groups"], strict=True):
        group.update({key: _like(group.get(key), value) for key, value in saved["settings"].items()})
    if hasattr(optimizer, "init_state"):
        _make_buffers(optimizer, names, numbers["counted"])
    for parameter, name in names.items():
        if name in numbers["counted"]:
            optimizer.state[parameter].update(numbers["counted"][name])


def restore_tensor(optimizer: Optimizer, parameters: dict[str, torch.Tensor], name: str, value: torch.Tensor) -> None:
    """Set one tensor of the state. A buffer that exists is filled: it may be one that pages between a GPU and its host."""
    key, _, parameter_name = name.partition(_SEPARATOR)
    parameter = parameters[parameter_name]
    state = optimizer.state[parameter]
    if key in state:
        state[key].copy_(value)
    else:
        # A copy, since torch aligns its own memory and the reader does not.
        state[key] = value.to(parameter.device, copy=True)


def forget_overrides() -> None:
    """Have bitsandbytes forget which parameters it keeps in 32 bits.

    It remembers them for the whole process, by their place in the optimiser: there the next run has others. And it holds their
    modules.
    """
    library = sys.modules.get("bitsandbytes")
    if library is not None:
        library.optim.GlobalOptimManager.get_instance().initialize()


def _make_buffers(optimizer: Any, names: Names, counted: dict[str, Any]) -> None:
    optimizer.check_overrides()
    for group_number, group in enumerate(optimizer.param_groups):
        for number, parameter in enumerate(group["params"]):
            if names[parameter] in counted:
                optimizer.init_state(group, parameter, group_number, number)


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key != "params"}


def _like(current: Any, value: Any) -> Any:
    return tuple(value) if isinstance(current, tuple) else value
