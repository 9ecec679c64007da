"""Classifiers of pictures: a ViT that knows seven digits learns all ten with an adapter, and what hostile rows come to."""

import base64
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import ViTConfig, ViTForImageClassification, set_seed
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import FailedPrecondition, InvalidArgument

from .classifying import OBJECTIVE, check_that_it_goes_on_bit_for_bit, loaded_by_its_card
from .conftest import Job
from .digits import SIDE, digit_rows, picture, png

HAS_PILLOW = find_spec("PIL") is not None
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not HAS_PILLOW and not os.environ.get("TUNESMITH_TEST_STRICT"), reason="Pillow is not installed, and it decodes pictures"
    ),
]

MakeJob = Callable[..., Job]
DIGITS = digit_rows()
# Every fifth is held out.
TRAINING, VALIDATION = [row for number, row in enumerate(DIGITS) if number % 5], DIGITS[::5]
KNOWN = 7


def job_of(make_job: MakeJob, base: Path, over: dict[str, Any] | None = None, **named: Any) -> Job:
    over = over or {}
    adapter = {} if named.get("method") == "FULL" else {"lora_config": {"rank": 8, "alpha": 16}}
    configuration = {
        "method": OBJECTIVE | adapter | over.get("method", {}),
        "schedule": {"max_steps": 6, "batch_size": 32} | over.get("schedule", {}),
        "optimizer": {"learning_rate": 5e-3} | over.get("optimizer", {}),
        **{name: value for name, value in over.items() if name not in ("method", "schedule", "optimizer")},
    }
    given = {"training": TRAINING[:64], "validation": VALIDATION[:32], "evaluate": True, "base": base}
    return make_job("IMAGE_LABEL", configuration, **given | named)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViT of two layers for pictures of 8 × 8 pixels, with random weights."""
    from transformers import ViTImageProcessorPil

    folder = tmp_path_factory.mktemp("vit")
    set_seed(0)
    shape: dict[str, Any] = {
        "num_labels": KNOWN,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    configuration = ViTConfig(image_size=SIDE, patch_size=4, initializer_range=0.1, **shape)
    ViTForImageClassification(configuration).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def test_an_adapter_teaches_a_small_vit_the_digits_that_it_did_not_know(make_job: MakeJob, untrained: Path) -> None:
    known = {"training": [row for row in TRAINING if row["label"] < KNOWN]}
    held = {"validation": [row for row in VALIDATION if row["label"] < KNOWN]}
    schedule = {"schedule": {"max_steps": 150}, "optimizer": {"learning_rate": 3e-3}}
    first = job_of(make_job, untrained, schedule, method="FULL", **known, **held).run()
    assert first.points["eval_accuracy"][150] > 0.9
    base = first.artifacts_folder / "model"

    over = {"method": {"lora_config": {"trainable_modules": "all-linear"}}, "schedule": {"max_steps": 150}}
    sink = job_of(make_job, base, over, training=TRAINING, validation=VALIDATION).run()

    assert len(VALIDATION) == 360
    assert sink.points["eval_accuracy"][0] < 0.3
    assert sink.points["eval_accuracy"][150] > 0.9
    assert sink.points["eval_macro_f1"][150] > 0.9
    # Four patches a picture.
    assert sink.figures.tokens_per_second > 0
    made = loaded_by_its_card(sink.artifacts_folder / "adapter", base)
    assert made["model"].config.id2label == {digit: str(digit) for digit in range(10)}
    assert accuracy(made) == pytest.approx(sink.points["eval_accuracy"][150])
    card = (sink.artifacts_folder / "adapter" / "README.md").read_text()
    assert "pipeline_tag: image-classification" in card
    assert "preprocessor_config.json" in {path.name for path in (sink.artifacts_folder / "adapter").iterdir()}


def accuracy(made: dict[str, Any]) -> float:
    from workers.training.images import decode

    pixels = made["processor"]([decode(row["image"]) for row in VALIDATION], return_tensors="pt")
    with torch.no_grad():
        said = made["model"](**pixels).logits.argmax(-1)
    names = made["model"].config.id2label
    right = sum(names[int(number)] == str(row["label"]) for number, row in zip(said, VALIDATION, strict=True))
    return right / len(VALIDATION)


@pytest.mark.parametrize(("modules", "count"), [("all-linear", 12), ("q_proj,v_proj", 4)])
def test_the_adapter_stands_where_it_was_asked_for_and_not_at_the_head(
    modules: str, count: int, make_job: MakeJob, untrained: Path
) -> None:
    from safetensors.torch import load_file

    job = job_of(make_job, untrained, {"method": {"lora_config": {"trainable_modules": modules}}, "schedule": {"max_steps": 2}})
    folder = job.run().artifacts_folder / "adapter"
    tensors = load_file(folder / "adapter_model.safetensors")
    assert sum("lora_A" in name for name in tensors) == count
    assert {name for name in tensors if "classifier" in name} == {
        "base_model.model.classifier.weight",
        "base_model.model.classifier.bias",
    }


@pytest.mark.parametrize("method", ["FULL", "LORA"])
def test_a_paused_job_goes_on_bit_for_bit(method: str, make_job: MakeJob, untrained: Path) -> None:
    over = {
        "method": {"lora_config": {"dropout": 0.2}} if method == "LORA" else {},
        "schedule": {"batch_size": 16, "evaluations": 2},
    }
    pause = {3: worker_service_pb2.DIRECTIVE_PAUSE}
    check_that_it_goes_on_bit_for_bit(
        job_of(make_job, untrained, over, method=method), job_of(make_job, untrained, over, method=method, directives=pause)
    )


@pytest.mark.parametrize("kept_bytes", [0, 2**28])
def test_pictures_are_the_same_whether_they_are_kept_or_read_again(
    kept_bytes: int, make_job: MakeJob, untrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.training import images

    monkeypatch.setattr(images, "KEPT_BYTES", kept_bytes)
    losses = job_of(make_job, untrained).run().losses()
    monkeypatch.undo()
    assert losses == job_of(make_job, untrained).run().losses()


def test_bfloat16_and_checkpointing_train_too(make_job: MakeJob, untrained: Path) -> None:
    over = {
        "model": {"precision": "MODEL_PRECISION_BF16"},
        "optimizations": {"enabled": ["OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING"]},
        "schedule": {"max_steps": 20},
    }
    for method in ("LORA", "FULL"):
        sink = job_of(make_job, untrained, over, method=method, evaluate=False).run()
        assert sink.losses()[-1] < sink.losses()[0]


def _uri(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


HOSTILE: dict[str, tuple[str, str]] = {
    "a path": ("cat/1.png", "must be a data URI"),
    "an address": ("https://example.org/1.png", "nothing is fetched"),
    "text": (_uri(b"hello"), "is no PNG"),
    "a bomb": (
        _uri(png(1, 1, [0]).replace(b"\x00\x00\x00\x01\x00\x00\x00\x01", b"\x00\x00\x40\x00\x00\x00\x40\x00", 1)),
        "pixels",
    ),
    "half of one": (_uri(png(SIDE, SIDE, [0] * 64)[:-20]), "is cut off"),
    "something damaged": (_uri(png(SIDE, SIDE, [0] * 64).replace(b"IDAT\x78", b"IDAT\x00")), "can't be decoded"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_picture_is_refused_with_its_line(case: str, make_job: MakeJob, untrained: Path) -> None:
    image, said = HOSTILE[case]
    rows = [*TRAINING[:32], {"image": image, "label": 3}]
    with pytest.raises(InvalidArgument, match=f"line 33 can't be trained on: .*{said}"):
        job_of(make_job, untrained, training=rows).run()


def test_a_label_that_no_training_row_has_is_refused_with_its_line(make_job: MakeJob, untrained: Path) -> None:
    blank = {"image": picture(SIDE, SIDE, [0] * 64), "label": "none"}
    with pytest.raises(InvalidArgument, match="line 3 can't be trained on: no training row has the label 'none'"):
        job_of(make_job, untrained, validation=[*VALIDATION[:2], blank]).run()


def test_a_base_that_reads_no_pictures_is_refused(make_job: MakeJob, tiny_base: Path) -> None:
    with pytest.raises(FailedPrecondition, match="image processor"):
        job_of(make_job, tiny_base).run()
