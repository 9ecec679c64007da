"""Who holds how many bytes, and when it was the most."""

import weakref
from collections.abc import Iterable
from enum import IntEnum
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Holding(IntEnum):
    """What bytes are held for."""

    WEIGHTS = 0
    ADAPTERS = 1
    GRADIENTS = 2
    OPTIMIZER = 3
    ACTIVATIONS = 4
    LOGITS = 5


# Bytes by holding, in the order of Holding.
Holdings = tuple[int, ...]
NOTHING: Holdings = (0,) * len(Holding)


class Ledger(TorchDispatchMode):
    """Counts the storages that live, by what they are held for, and keeps the moment of each section in which most did.

    A storage counts from the operation that made it until nothing refers to it any more, rounded up to `granularity` bytes as
    the device's allocator does.
    """

    def __init__(self, granularity: int) -> None:
        super().__init__()
        self.section = ""
        # What storages are held for that the current section makes.
        self.making = Holding.ACTIVATIONS
        self.peaks: dict[str, Holdings] = {}
        self._granularity = granularity
        self._held = [0] * len(Holding)
        self._peak_totals: dict[str, int] = {}
        # Address of a storage -> what it is held for, its bytes, and what tells of its end.
        self._living: dict[int, tuple[Holding, int, Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._count(leaf)
        return result

    def claim(self, tensors: Iterable[torch.Tensor], holding: Holding) -> None:
        """Say what tensors are held for, whether they were counted or not."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            known = self._living.get(storage._cdata)
            if known is None:
                self._count(tensor, holding)
            elif known[0] != holding:
                self._held[known[0]] -= known[1]
                self._held[holding] += known[1]
                self._living[storage._cdata] = (holding, *known[1:])

    def begin(self, section: str, making: Holding = Holding.ACTIVATIONS) -> None:
        """What happens from here on is another part of the step."""
        self.section, self.making = section, making
        self._look()

    def add(self, holding: Holding, size: int) -> None:
        """Count bytes that no tensor stands for; negative ones are given back."""
        self._held[holding] += size
        self._look()

    def rounded(self, size: int) -> int:
        """What the allocator gives for so many bytes."""
        return -(-size // self._granularity) * self._granularity

    def _count(self, tensor: torch.Tensor, holding: Holding | None = None) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._living:
            return
        size = self.rounded(storage.nbytes())
        holding = self.making if holding is None else holding
        # Python's object of a storage lives as long as the storage itself does.
        self._living[key] = (holding, size, weakref.ref(storage, lambda _: self._free(key)))
        self._held[holding] += size
        self._look()

    def _free(self, key: int) -> None:
        holding, size, _ = self._living.pop(key)
        self._held[holding] -= size

    def _look(self) -> None:
        total = sum(self._held)
        if total > self._peak_totals.get(self.section, -1):
            self._peak_totals[self.section] = total
            self.peaks[self.section] = tuple(self._held)
