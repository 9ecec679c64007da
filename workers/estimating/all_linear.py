"""Which modules `all-linear` puts an adapter on, as peft itself says.

Its rule is not only about linear layers: of some families with experts it adapts the tensors that hold them.
"""

import copy
import re
import warnings
from collections import defaultdict

import torch
from peft import LoraConfig, TaskType, get_peft_model
from transformers import PreTrainedModel

from workers.estimating.layers import find_layers
from workers.estimating.refused import Refused
from workers.providers.local.method import ALL_LINEAR

_LAYER_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.|$)")
# What tells labels apart: classifiers' heads are trained whole, and take no adapter.
HEADS = r"(score|classifier|pre_classifier|classification_head)(\..*)?"
_FACTOR = re.compile(r"^base_model\.model\.(.*?)(?:\.base_layer)*\.lora_(A|B)\.")


def adapted_by_all_linear(model: PreTrainedModel) -> dict[str, tuple[int, int]]:
    """By path, with * for layer numbers: elements of the two factors that an adapter of rank 1 has there.

    Empty if peft can't adapt the model.
    """
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            task = TaskType.CAUSAL_LM if model.can_generate() else None
            adapter = LoraConfig(r=1, target_modules=ALL_LINEAR, task_type=task, exclude_modules=HEADS)
            adapted = get_peft_model(_one_layer_of_each_kind(model), adapter, low_cpu_mem_usage=True)
        except (ValueError, NotImplementedError):
            return {}
    sizes: dict[str, dict[str, int]] = defaultdict(lambda: {"A": 0, "B": 0})
    seen: set[str] = set()
    for name, parameter in adapted.named_parameters():
        match = _FACTOR.match(name)
        # Of equal layers, one counts.
        if match and (place := without_layer_number(name)) not in seen:
            seen.add(place)
            sizes[without_layer_number(match[1])][match[2]] += parameter.numel()
    return {path: (factors["A"], factors["B"]) for path, factors in sizes.items()}


def without_layer_number(name: str) -> str:
    """A module's path with * in place of numbers."""
    return _LAYER_NUMBER.sub("*", name)


def _one_layer_of_each_kind(model: PreTrainedModel) -> PreTrainedModel:
    try:
        stack = find_layers(model)
        cut, _ = stack.pick([numbers[0] for numbers in stack.kinds])
    except Refused:
        return copy.deepcopy(model)
    return cut
