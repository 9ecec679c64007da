"""The processes that share a training, as one of them sees them."""

from datetime import timedelta

import torch
import torch.distributed as dist

# How long a process waits for another one to come to the same place. The first may be storing a result meanwhile, which takes as
# long as it takes; one that died is noticed by Ray Train.
_LONGEST_WAIT = timedelta(days=2)


class Processes:
    """What they tell each other beside the training: small things, over TCP, whatever the gradients go by.

    torch's process group has to exist. Everything here is called by all of them in the same order.
    """

    def __init__(self) -> None:
        self.rank: int = dist.get_rank()
        self.count: int = dist.get_world_size()
        self._group = dist.new_group(backend="gloo", timeout=_LONGEST_WAIT)

    @property
    def is_first(self) -> bool:
        """Whether this one speaks for all."""
        return self.rank == 0

    def agree(self, value: int) -> int:
        """What the first one says; the others' values count for nothing."""
        told = torch.tensor([value], dtype=torch.int64)
        dist.broadcast(told, src=0, group=self._group)
        return int(told.item())

    def collect(self, data: bytes) -> list[bytes]:
        """What each one has, in order, for the first one; the others get nothing."""
        mine = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        dist.all_gather(sizes, torch.tensor([len(data)], dtype=torch.int64), group=self._group)
        longest = int(max(size.item() for size in sizes))
        padded = torch.zeros(longest, dtype=torch.uint8)
        padded[: len(data)] = mine
        gathered = [torch.zeros(longest, dtype=torch.uint8) for _ in range(self.count)] if self.is_first else None
        dist.gather(padded, gathered, dst=0, group=self._group)
        return [bytes(part[: int(size.item())].numpy()) for part, size in zip(gathered or [], sizes, strict=False)]
