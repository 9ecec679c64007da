"""An ONNX graph computes what the model computes, for any batch and any length."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)
from tunesmith.job.v1 import artifact_pb2

from services.chassis.errors import FailedPrecondition
from tests.integration.export.conftest import MakeExport, need
from workers.export import libraries

pytestmark = pytest.mark.integration


def ran(folder: Path, **inputs: torch.Tensor) -> torch.Tensor:
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx")
    [logits] = session.run(["logits"], {name: value.numpy() for name, value in inputs.items()})
    return torch.from_numpy(np.array(logits))


def computed(model: Any, **inputs: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(**inputs).logits


def test_a_language_model(make_export: MakeExport, llama: Path, adapter: Path) -> None:
    need("onnx", "onnxscript", "onnxruntime")
    export = make_export("ONNX", adapter, llama)
    folder = export.run()
    assert export.sink.sets == {"onnx": (artifact_pb2.ARTIFACT_KIND_ONNX, 5)}
    assert export.sink.stages == ["Loading tiny", "Merging", "Writing ONNX", "Storing the result"]
    merged = AutoModelForCausalLM.from_pretrained(make_export("MERGED", adapter, llama).run())
    for batch, length in ((1, 1), (1, 17), (3, 9)):
        tokens = torch.arange(3, 3 + batch * length).reshape(batch, length)
        mask = torch.ones_like(tokens)
        if batch > 1:
            # Padding at the left, as for generation.
            mask[0, :4] = 0
        seen = mask.bool()
        logits = ran(folder, input_ids=tokens, attention_mask=mask)
        assert logits.shape == (batch, length, 400)
        assert torch.allclose(logits[seen], computed(merged, input_ids=tokens, attention_mask=mask)[seen], atol=1e-4)
    assert AutoTokenizer.from_pretrained(folder)("She")["input_ids"] == AutoTokenizer.from_pretrained(llama)("She")["input_ids"]
    assert "onnxruntime.InferenceSession" in (folder / "README.md").read_text()


def test_a_classifier_of_texts(make_export: MakeExport, llama: Path, tmp_path: Path) -> None:
    need("onnx", "onnxscript", "onnxruntime")
    model = AutoModelForSequenceClassification.from_pretrained(llama, num_labels=3)
    model.save_pretrained(tmp_path / "model")
    PreTrainedTokenizerFast.from_pretrained(llama).save_pretrained(tmp_path / "model")
    folder = make_export("ONNX", tmp_path / "model", None).run()
    for batch, length in ((1, 5), (3, 12)):
        tokens = torch.arange(3, 3 + batch * length).reshape(batch, length)
        mask = torch.ones_like(tokens)
        tokens[-1, -2:], mask[-1, -2:] = 0, 0
        logits = ran(folder, input_ids=tokens, attention_mask=mask)
        assert logits.shape == (batch, 3)
        assert torch.allclose(logits, computed(model, input_ids=tokens, attention_mask=mask), atol=1e-4)


def test_a_classifier_of_images(make_export: MakeExport, tmp_path: Path) -> None:
    need("onnx", "onnxscript", "onnxruntime")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    ViTForImageClassification(ViTConfig(image_size=16, patch_size=8, num_labels=4, **shape)).save_pretrained(tmp_path / "model")
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(tmp_path / "model")
    folder = make_export("ONNX", tmp_path / "model", None).run()
    model = AutoModelForImageClassification.from_pretrained(tmp_path / "model")
    for batch in (1, 3):
        pixels = torch.randn(batch, 3, 16, 16)
        assert torch.allclose(ran(folder, pixel_values=pixels), computed(model, pixel_values=pixels), atol=1e-4)
    assert (folder / "preprocessor_config.json").is_file()


@pytest.mark.parametrize(("form", "missing"), [("ONNX", "onnxscript"), ("GGUF", "gguf")])
def test_a_pool_without_the_library_says_what_to_install(
    make_export: MakeExport, llama: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch, form: str, missing: str
) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name == missing else builtins)
    export = make_export(form, adapter, llama)
    with pytest.raises(FailedPrecondition, match=f"install {missing} where its agent runs"):
        export.run()
    assert export.sink.stages == []
