"""A model whose weights are split over two processes is saved whole, and is split again behind that."""

import subprocess
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from .conftest import ask

pytestmark = pytest.mark.integration


def test_the_first_process_has_all_weights_while_it_saves(
    processes: list[subprocess.Popen[str]], tiny_base: Path, tmp_path: Path
) -> None:
    (tmp_path / "gather").write_text(str(tiny_base))
    first, second = ask(processes, tmp_path)
    base = AutoModelForCausalLM.from_pretrained(tiny_base)
    count = len(list(base.parameters()))
    assert count == 2 * 9 + 2
    assert (first["before"], first["inside"], first["after"], first["same"]) == (count, 0, count, True)
    # The other one has its part all along.
    assert (second["before"], second["inside"], second["after"]) == (count, count, count)
    assert first["loss"] == second["loss"]
    saved = AutoModelForCausalLM.from_pretrained(tmp_path / "stored")
    assert type(saved) is type(base)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(saved.parameters(), base.parameters(), strict=True))
