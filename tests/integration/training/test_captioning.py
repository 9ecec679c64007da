"""Captions of pictures, by a tiny LLaVA whose parts are all made here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import FailedPrecondition, InvalidArgument

from .classifying import check_that_it_goes_on_bit_for_bit, loaded_by_its_card
from .conftest import Job
from .digits import picture

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
SIDE = 16
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}"
    "{% if message['role'] == 'assistant' %}<eos>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ROWS = [
    {"image": picture(SIDE, SIDE, [shade] * SIDE**2), "caption": caption} for shade, caption in ((5, "dark"), (250, "light"))
] * 8


@pytest.fixture(scope="module")
def tiny_llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers that see and two that write, with random weights."""
    folder = tmp_path_factory.mktemp("llava")
    special = ["<pad>", "<eos>", "<image>", "<|user|>", "<|assistant|>"]
    vocabulary = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(vocabulary)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(special)
    LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}),
        tokenizer=PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>"),
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<image>",
        chat_template=TEMPLATE,
    ).save_pretrained(folder)
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    torch.manual_seed(0)
    configuration = LlavaConfig(
        vision_config=CLIPVisionConfig(image_size=SIDE, patch_size=8, **shape),
        text_config=LlamaConfig(vocab_size=len(vocabulary), pad_token_id=0, eos_token_id=1, bos_token_id=1, **shape),
        image_token_id=2,
        vision_feature_layer=-1,
    )
    LlavaForConditionalGeneration(configuration).save_pretrained(folder)
    return folder


def job_of(make_job: MakeJob, base: Path, over: dict[str, Any] | None = None, **named: Any) -> Job:
    over = over or {}
    configuration = {
        "schedule": {"max_steps": 6, "batch_size": 4} | over.get("schedule", {}),
        "optimizer": {"learning_rate": 1e-2},
        **{name: value for name, value in over.items() if name != "schedule"},
    }
    given = {"training": ROWS, "validation": ROWS[:4], "evaluate": True, "base": base}
    return make_job("IMAGE_CAPTION", configuration, **given | named)


@pytest.mark.parametrize("method", ["FULL", "LORA"])
def test_captions_are_learnt_and_loaded_without_tunesmith(method: str, make_job: MakeJob, tiny_llava: Path) -> None:
    sink = job_of(make_job, tiny_llava, {"schedule": {"max_steps": 30}}, method=method).run()
    # Behind an output layer of random weights that stands still, less is learnt.
    share = 0.7 if method == "FULL" else 0.93
    assert sink.points["eval_loss"][30] < share * sink.points["eval_loss"][0]
    assert any("not cut" in warning for warning in sink.warnings)
    folder = sink.artifacts_folder / ("model" if method == "FULL" else "adapter")
    made = loaded_by_its_card(folder, tiny_llava)
    assert "pipeline_tag: image-text-to-text" in (folder / "README.md").read_text()
    from workers.training.images import decode

    asked = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Describe the picture."}]}]
    text = made["processor"].apply_chat_template(asked, tokenize=False) + "<|assistant|>dark<eos>"
    batch = made["processor"](text=[text], images=[decode(ROWS[0]["image"])], return_tensors="pt")
    labels = batch["input_ids"].clone()
    labels[:, :-5] = -100
    with torch.no_grad():
        loss = made["model"](**batch, labels=labels).loss
    assert loss < (share + 0.05) * sink.points["eval_loss"][0]


def test_only_the_caption_counts_unless_all_shall(make_job: MakeJob, tiny_llava: Path) -> None:
    captions = job_of(make_job, tiny_llava).run().losses()
    everything = job_of(make_job, tiny_llava, {"schedule": {"train_on_inputs": "TRAIN_ON_INPUTS_ENABLED"}}).run().losses()
    assert captions[0] != pytest.approx(everything[0], rel=1e-3)


def test_the_picture_is_what_the_loss_depends_on(make_job: MakeJob, tiny_llava: Path) -> None:
    """Other pictures with the same captions and seed are another run."""
    seen = job_of(make_job, tiny_llava).run().losses()
    other = [row | {"image": picture(SIDE, SIDE, [shade % 256 for shade in range(SIDE**2)])} for row in ROWS]
    assert job_of(make_job, tiny_llava, training=other).run().losses() != seen
    assert job_of(make_job, tiny_llava).run().losses() == seen


def test_a_paused_job_goes_on_bit_for_bit(make_job: MakeJob, tiny_llava: Path) -> None:
    pause = {3: worker_service_pb2.DIRECTIVE_PAUSE}
    check_that_it_goes_on_bit_for_bit(job_of(make_job, tiny_llava), job_of(make_job, tiny_llava, directives=pause))


def test_a_base_that_reads_no_pictures_is_refused(make_job: MakeJob, tiny_base: Path) -> None:
    with pytest.raises(FailedPrecondition, match="does not read pictures"):
        job_of(make_job, tiny_base).run()


def test_a_soft_prompt_is_refused(make_job: MakeJob, tiny_llava: Path) -> None:
    over = {"method": {"prompt_tuning_config": {"num_virtual_tokens": 4}}}
    with pytest.raises(InvalidArgument, match="use LORA"):
        job_of(make_job, tiny_llava, over, method="PROMPT_TUNING").run()


def test_a_row_without_a_caption_is_refused_with_its_line(make_job: MakeJob, tiny_llava: Path) -> None:
    with pytest.raises(InvalidArgument, match="line 2 can't be trained on: caption is not text"):
        job_of(make_job, tiny_llava, training=[ROWS[0], ROWS[1] | {"caption": None}]).run()
