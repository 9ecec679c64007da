"""What tests of classifiers of texts and of pictures share."""

import re
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from .conftest import Job, RecordingSink

OBJECTIVE = {"objective": "TRAINING_OBJECTIVE_CLASSIFICATION"}
# What has to be equal at every step.
SERIES = ("train_loss", "learning_rate", "gradient_norm", "eval_loss", "eval_accuracy", "eval_macro_f1")


def loaded_by_its_card(folder: Path, base: Path, name: str = "tunesmith/tiny") -> dict[str, Any]:
    """What the code of a result's card makes, with the folders of this machine: `model` and `processor`."""
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert not any(str(base.parent) in path.read_text() for path in folder.iterdir() if path.suffix in (".md", ".json"))
    made: dict[str, Any] = {}
    exec(code.replace("path/to/this/folder", str(folder)).replace(repr(name), repr(str(base))), made)
    made["model"].eval()
    return made


def weights(sink: RecordingSink) -> dict[str, Any]:
    """The result's."""
    adapter = sink.artifacts_folder / "adapter" / "adapter_model.safetensors"
    return load_file(adapter if adapter.exists() else sink.artifacts_folder / "model" / "model.safetensors")


def check_that_it_goes_on_bit_for_bit(whole: Job, paused: Job) -> None:
    """A job that is paused and goes on ends as one that never was."""
    uninterrupted = whole.run()
    first = paused.stopped()
    assert "training-state" in first.sets
    second = paused.next_attempt().run()
    for key in SERIES:
        if key in uninterrupted.points:
            assert first.points.get(key, {}) | second.points.get(key, {}) == uninterrupted.points[key], key
    assert second.figures.tokens_per_second > 0
    expected, found = weights(uninterrupted), weights(second)
    assert expected.keys() == found.keys()
    assert all(expected[name].equal(found[name]) for name in expected)
