"""The repeated layers of a model, and models that have only some of them."""

import contextlib
import copy
from dataclasses import dataclass
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from workers.estimating.refused import Refused

# Each takes a trace of its own.
MAX_KINDS = 6
# Lists of a configuration with an entry a layer, which say how the model's own loop treats each.
_PER_LAYER = ("layer_types", "mlp_layer_types", "no_rope_layers", "layers_block_type")


@dataclass(frozen=True)
class Stack:
    """A model's repeated layers, and which of them are alike."""

    model: PreTrainedModel
    path: str
    # Numbers of the layers of each kind, kinds in the order of their first layer.
    kinds: list[list[int]]

    def pick(self, numbers: list[int]) -> tuple[PreTrainedModel, list[nn.Module]]:
        """A model of its own that has only these layers, and those layers."""
        text, depth = self.model.config.get_text_config(), len(_layers(self.model, self.path))
        original = _layers(self.model, self.path)
        _set_layers(self.model, self.path, nn.ModuleList(original[number] for number in numbers))
        try:
            cut = copy.deepcopy(self.model)
        finally:
            _set_layers(self.model, self.path, original)
        configuration = cut.config.get_text_config()
        for name in _PER_LAYER:
            values = getattr(text, name, None)
            if isinstance(values, list) and len(values) == depth and values == getattr(configuration, name):
                # A list that a family computes from other fields can't be set, and follows them.
                with contextlib.suppress(AttributeError):
                    setattr(configuration, name, [values[number] for number in numbers])
        configuration.num_hidden_layers = len(numbers)
        return cut, list(_layers(cut, self.path))


def find_layers(model: PreTrainedModel) -> Stack:
    """The stack that a row of text goes through. Raises Refused if there is none, or too many kinds of layers."""
    text = model.config.get_text_config()
    depth = getattr(text, "num_hidden_layers", None)
    if not isinstance(depth, int):
        raise Refused(f"{type(model).__name__} is no plain stack of layers, so its step can't be traced; use the plain estimate")
    paths = [name for name, module in model.named_modules() if isinstance(module, nn.ModuleList) and len(module) == depth]
    # One of a text model beside one of a vision model of the same depth: text's is where the output comes from.
    paths.sort(key=lambda path: ("vision" in path or "visual" in path or "audio" in path, path.count(".")))
    if not paths:
        raise Refused(
            f"{type(model).__name__} has no list of {depth} layers, so its step can't be traced; use the plain estimate"
        )
    kinds: dict[Any, list[int]] = {}
    for number, layer in enumerate(_layers(model, paths[0])):
        kinds.setdefault(_kind(text, number, depth, layer), []).append(number)
    if len(kinds) > MAX_KINDS:
        raise Refused(f"its layers are of {len(kinds)} kinds; at most {MAX_KINDS} can be traced, so use the plain estimate")
    return Stack(model, paths[0], list(kinds.values()))


def _kind(text: Any, number: int, depth: int, layer: nn.Module) -> Any:
    listed = [getattr(text, name, None) for name in _PER_LAYER]
    treated = tuple(str(values[number]) for values in listed if isinstance(values, list) and len(values) == depth)
    return treated, type(layer), tuple((name, parameter.shape) for name, parameter in layer.named_parameters())


def _layers(model: nn.Module, path: str) -> nn.ModuleList:
    module = model.get_submodule(path)
    assert isinstance(module, nn.ModuleList)
    return module


def _set_layers(model: nn.Module, path: str, layers: nn.ModuleList) -> None:
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, layers)
