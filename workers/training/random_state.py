"""The random numbers of a process: where each generator stands."""

import random
from typing import Any

import numpy as np
import torch

CPU = "cpu"
CUDA = "cuda"


def capture() -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """What Python, numpy and torch would draw next, as tensors and as JSON."""
    tensors = {CPU: torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors |= {f"{CUDA}-{number}": state for number, state in enumerate(torch.cuda.get_rng_state_all())}
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached_gauss = np.random.get_state()
    python = {"version": version, "words": list(words), "gauss": gauss}
    numpy = {
        "name": name,
        "keys": np.asarray(keys).tolist(),
        "position": position,
        "has_gauss": has_gauss,
        "cached_gauss": cached_gauss,
    }
    return tensors, {"python": python, "numpy": numpy}


def restore(tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
    """Draw on from there. Generators of devices that this machine lacks are left out."""
    python, numpy = numbers["python"], numbers["numpy"]
    random.setstate((python["version"], tuple(python["words"]), python["gauss"]))
    keys = np.array(numpy["keys"], dtype=np.uint32)
    np.random.set_state((numpy["name"], keys, numpy["position"], numpy["has_gauss"], numpy["cached_gauss"]))
    torch.set_rng_state(tensors[CPU])
    for number in range(torch.cuda.device_count()):
        state = tensors.get(f"{CUDA}-{number}")
        if state is not None:
            torch.cuda.set_rng_state(state, number)
