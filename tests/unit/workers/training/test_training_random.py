"""Random numbers go on where they stood, in every generator."""

import json
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch

from workers.training import random_state

GENERATORS: dict[str, Callable[[], list[float]]] = {
    # Normal numbers come in pairs, the second of which waits in the generator's state.
    "Python": lambda: [random.gauss(0, 1) for _ in range(3)],
    "numpy": lambda: np.random.standard_normal(3).tolist(),
    "torch": lambda: torch.randn(3).tolist(),
}


@pytest.mark.parametrize("name", list(GENERATORS))
def test_what_was_captured_is_drawn_again(name: str) -> None:
    draw = GENERATORS[name]
    draw()
    tensors, numbers = random_state.capture()
    expected = draw()
    assert draw() != expected
    random_state.restore(tensors, json.loads(json.dumps(numbers)))
    assert draw() == expected
