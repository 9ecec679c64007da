"""The warm-up is a whole run that leaves nothing behind."""

from pathlib import Path

import pytest
import torch

from workers.training.warm_up import warm_up

pytestmark = pytest.mark.integration


def test_a_warm_up_writes_below_its_folder_only_and_prints_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "warm-up"
    elsewhere.mkdir()
    folder.mkdir()
    monkeypatch.chdir(elsewhere)
    threads = torch.get_num_threads()
    capfd.readouterr()
    warm_up(folder)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "%|" not in printed.err
    assert list(elsewhere.iterdir()) == []
    assert (folder / "base" / "model.safetensors").exists()
    assert torch.get_num_threads() == threads
