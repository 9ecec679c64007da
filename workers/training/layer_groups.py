"""Which parameters are shown together: one group a transformer layer, and what lies around the layers."""

import math
import re
from collections.abc import Iterable

# Larger models are folded into equal stretches of layers, so that no page draws a hundred curves.
MOST_GROUPS = 50

# What models call the list of their layers.
_LAYERED = re.compile(r"^(?P<stack>(?:.*?\.)?(?:layers|layer|h|blocks|block|stages|resblocks))\.(?P<number>\d+)(?:\.|$)")
_EMBEDDINGS = ("embed", "wte", "wpe")
_HEADS = ("head", "score", "classifier", "qa_outputs")
# In the order in which they are met on the way through a model.
_AROUND = ("prompt", "embeddings", "other", "head")


def group_names(parameters: Iterable[str]) -> dict[str, str]:
    """The group of each parameter, by its name: `embeddings`, `layer_07` or `layers_04-07`, `head`, `prompt` or `other`.

    A model of two stacks, such as an encoder and a decoder, has `encoder_layer_07` and `decoder_layer_07`.
    """
    placed = {name: _place(name) for name in parameters}
    layers: dict[str, int] = {}
    for place in placed.values():
        if isinstance(place, tuple):
            stack, number = place
            layers[stack] = max(layers.get(stack, 0), number + 1)
    around = {place for place in placed.values() if isinstance(place, str)}
    size = _stretch(list(layers.values()), MOST_GROUPS - len(around))
    titles = _titles(list(layers))
    return {
        name: place if isinstance(place, str) else titles[place[0]] + _layers(place[1], layers[place[0]], size)
        for name, place in placed.items()
    }


def _place(name: str) -> str | tuple[str, int]:
    """What of the surroundings a parameter belongs to, or its stack of layers and its layer's number."""
    layered = _LAYERED.match(name)
    if layered:
        return layered["stack"], int(layered["number"])
    prompt, embeddings, other, head = _AROUND
    if "prompt_encoder" in name:
        return prompt
    parts = name.split(".")
    if any(word in part for part in parts for word in _EMBEDDINGS):
        return embeddings
    return head if any(word in part for part in parts for word in _HEADS) else other


def _stretch(counts: list[int], most: int) -> int:
    """How many layers share a group so that there are not more groups than may be."""
    size = 1
    while sum(math.ceil(count / size) for count in counts) > most:
        size += 1
    return size


def _layers(number: int, count: int, size: int) -> str:
    width = len(str(count - 1))
    first = number // size * size
    last = min(first + size, count) - 1
    return f"layer_{first:0{width}}" if size == 1 else f"layers_{first:0{width}}-{last:0{width}}"


def _titles(stacks: list[str]) -> dict[str, str]:
    """What tells a stack from the others; nothing if it is the only one."""
    if len(stacks) < 2:
        return dict.fromkeys(stacks, "")
    parts = {stack: stack.split(".")[:-1] for stack in stacks}
    common = set.intersection(*(set(path) for path in parts.values()))
    own = {stack: [part for part in path if part not in common] for stack, path in parts.items()}
    short = {stack: path[-1] if path else stack.rpartition(".")[2] for stack, path in own.items()}
    if len(set(short.values())) < len(stacks):
        short = {stack: stack.replace(".", "_") for stack in stacks}
    return {stack: f"{title}_" for stack, title in short.items()}
