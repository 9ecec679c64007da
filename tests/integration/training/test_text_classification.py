"""Classifiers of texts: from causal models and from encoders, whole or with an adapter."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    Trainer,
    TrainingArguments,
    set_seed,
)
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import FailedPrecondition, InvalidArgument

from .classifying import OBJECTIVE, check_that_it_goes_on_bit_for_bit, loaded_by_its_card, weights
from .conftest import Job

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
LABELS = {"bread": ("flour", "dough", "oven"), "river": ("water", "stream", "shore"), "clock": ("hour", "minute", "dial")}
PATTERNS = ("The {} is here.", "She saw the {}.", "No {} today.", "A {}, again.")
ROWS = [
    {"text": pattern.format(word), "label": label}
    for pattern, (label, words) in itertools.product(PATTERNS, LABELS.items())
    for word in words
]
# One pattern is held out.
TRAINING, VALIDATION = ROWS[:27], ROWS[27:]


def job_of(make_job: MakeJob, over: dict[str, Any] | None = None, **named: Any) -> Job:
    over = over or {}
    adapter = {} if named.get("method") == "FULL" else {"lora_config": {"rank": 8, "alpha": 16}}
    configuration = {
        "method": OBJECTIVE | adapter | over.get("method", {}),
        "schedule": {"max_steps": 6, "batch_size": 9, "evaluations": 2} | over.get("schedule", {}),
        "optimizer": {"learning_rate": 3e-3} | over.get("optimizer", {}),
        **{name: value for name, value in over.items() if name not in ("method", "schedule", "optimizer")},
    }
    given = {"training": TRAINING, "validation": VALIDATION, "evaluate": True}
    return make_job("TEXT_LABEL", configuration, **given | named)


@pytest.fixture(scope="module")
def encoder(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT without what it was once trained to say: its pooler starts new, as does its head."""
    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 2}
    configuration = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, pad_token_id=0, **shape)
    BertModel(configuration, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("method", ["FULL", "LORA"])
def test_labels_are_learnt_and_the_result_tells_them_apart_without_tunesmith(
    method: str, make_job: MakeJob, tiny_base: Path
) -> None:
    sink = job_of(make_job, {"schedule": {"max_steps": 50, "checkpoints": 1}}, method=method).run()
    assert sink.points["eval_accuracy"][50] == 1.0
    assert sink.points["eval_macro_f1"][50] == 1.0
    assert sink.points["eval_loss"][50] < sink.points["eval_loss"][0]
    assert sink.figures.tokens_per_second > 0
    kind = "model" if method == "FULL" else "adapter"
    assert set(sink.sets) == {kind, "checkpoint-50"}
    made = loaded_by_its_card(sink.artifacts_folder / kind, tiny_base)
    model, tokenizer = made["model"], made["processor"]
    batch = tokenizer([row["text"] for row in VALIDATION], padding=True, return_tensors="pt")
    with torch.no_grad():
        said = model(**batch).logits.argmax(-1).tolist()
    assert [model.config.id2label[number] for number in said] == [row["label"] for row in VALIDATION]
    card = (sink.artifacts_folder / kind / "README.md").read_text()
    assert "pipeline_tag: text-classification" in card
    assert "`bread`, `clock`, `river`" in card


def test_an_adapter_leaves_the_head_alone_and_trains_it_whole(make_job: MakeJob) -> None:
    from peft import PeftConfig
    from safetensors import safe_open

    folder = job_of(make_job, {"method": {"lora_config": {"trainable_modules": "all-linear"}}}).run().artifacts_folder / "adapter"
    settings = PeftConfig.from_pretrained(str(folder))
    assert settings.task_type == "SEQ_CLS"
    assert "score" in settings.modules_to_save
    assert not any("score" in module for module in settings.target_modules)
    with safe_open(folder / "adapter_model.safetensors", framework="pt") as file:
        names = list(file.keys())
    adapted = {name.split(".")[-3] for name in names if "lora_A" in name}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert [name for name in names if "score" in name] == ["base_model.model.score.weight"]


def test_named_modules_are_those_that_are_adapted(make_job: MakeJob) -> None:
    from peft import PeftConfig

    job = job_of(make_job, {"method": {"lora_config": {"trainable_modules": "q_proj,v_proj"}}})
    folder = job.run().artifacts_folder / "adapter"
    assert set(PeftConfig.from_pretrained(str(folder)).target_modules) == {"q_proj", "v_proj"}


@pytest.mark.parametrize(("modules", "said"), [("q_proj,score", "trained whole"), ("query", "it has")])
def test_modules_that_take_no_adapter_are_refused(modules: str, said: str, make_job: MakeJob) -> None:
    job = job_of(make_job, {"method": {"lora_config": {"trainable_modules": modules}}})
    with pytest.raises(InvalidArgument, match=said):
        job.run()


def test_quantized_weights_take_an_adapter_and_a_whole_head(make_job: MakeJob) -> None:
    over = {
        "model": {"precision": "MODEL_PRECISION_INT4"},
        "schedule": {"max_steps": 50},
    }
    sink = job_of(make_job, over, method="QLORA").run()
    assert sink.points["eval_accuracy"][50] > 0.8
    # Its layers learn too, though evaluations came between.
    factors = [tensor for name, tensor in weights(sink).items() if "lora_B" in name]
    assert len(factors) == 14
    assert all(factor.any() for factor in factors)


@pytest.mark.parametrize("method", ["FULL", "LORA"])
def test_an_encoder_learns_with_its_new_pooler(method: str, make_job: MakeJob, encoder: Path) -> None:
    sink = job_of(
        make_job, {"schedule": {"max_steps": 60}, "optimizer": {"learning_rate": 1e-2}}, method=method, base=encoder
    ).run()
    assert sink.losses()[-1] < 0.8 * sink.losses()[0]
    kind = "model" if method == "FULL" else "adapter"
    made = loaded_by_its_card(sink.artifacts_folder / kind, encoder)
    batch = made["processor"]([row["text"] for row in VALIDATION], padding=True, return_tensors="pt")
    with torch.no_grad():
        said = made["model"](**batch).logits.argmax(-1)
    right = sum(made["model"].config.id2label[int(number)] == row["label"] for number, row in zip(said, VALIDATION, strict=True))
    assert right / len(VALIDATION) == pytest.approx(sink.points["eval_accuracy"][60])


def test_bfloat16_trains_too(make_job: MakeJob) -> None:
    sink = job_of(make_job, {"model": {"precision": "MODEL_PRECISION_BF16"}, "schedule": {"max_steps": 50}}).run()
    assert sink.points["eval_accuracy"][50] > 0.8


def test_a_classifier_of_the_same_labels_keeps_its_order_and_what_it_knows(make_job: MakeJob, tmp_path: Path) -> None:
    first = job_of(make_job, {"schedule": {"max_steps": 50}}, method="FULL").run()
    base = first.artifacts_folder / "model"
    model = AutoModelForSequenceClassification.from_pretrained(base)
    order = [2, 0, 1]
    model.score.weight.data = model.score.weight.data[order]
    names = ["bread", "clock", "river"]
    model.config.id2label = {place: names[number] for place, number in enumerate(order)}
    turned = tmp_path / "turned"
    model.save_pretrained(turned)
    AutoTokenizer.from_pretrained(base).save_pretrained(turned)
    sink = job_of(make_job, {"schedule": {"max_steps": 1}, "optimizer": {"learning_rate": 1e-6}}, base=turned).run()
    assert sink.points["eval_accuracy"][0] == 1.0
    fewer = [row for row in TRAINING if row["label"] != "clock"]
    held = [row for row in VALIDATION if row["label"] != "clock"]
    # Of other labels it knows nothing: its head starts new.
    other = job_of(make_job, {"schedule": {"max_steps": 1}}, base=turned, training=fewer, validation=held).run()
    assert loaded_by_its_card(other.artifacts_folder / "adapter", turned)["model"].config.id2label == {0: "bread", 1: "river"}


CLASSES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], str]] = {
    "one label": ([{"text": "a", "label": "x"}] * 3, VALIDATION, "all rows have the label 'x'"),
    "a label unseen": (
        TRAINING,
        [*VALIDATION[:2], {"text": "a", "label": "moon"}],
        "line 3 can't be trained on: no training row",
    ),
    "an empty text": (
        [*TRAINING[:4], {"text": "", "label": "bread"}],
        VALIDATION,
        "line 5 can't be trained on: its text is empty",
    ),
    "no label": ([*TRAINING[:4], {"text": "a", "label": None}], VALIDATION, "line 5 can't be trained on: label is neither"),
}


@pytest.mark.parametrize("case", CLASSES)
def test_rows_that_teach_nothing_are_refused_with_their_line(case: str, make_job: MakeJob) -> None:
    training, validation, said = CLASSES[case]
    with pytest.raises(InvalidArgument, match=said):
        job_of(make_job, training=training, validation=validation).run()


def test_numbers_are_labels_in_the_order_of_their_size(make_job: MakeJob, tiny_base: Path) -> None:
    rows = [{"text": f"{number} of them", "label": number} for number in (10, 9, -1)] * 3
    sink = job_of(make_job, {"schedule": {"max_steps": 1}}, method="FULL", training=rows, evaluate=False).run()
    made = loaded_by_its_card(sink.artifacts_folder / "model", tiny_base)
    assert made["model"].config.id2label == {0: "-1", 1: "9", 2: "10"}


@pytest.mark.parametrize("method", ["FULL", "LORA"])
def test_a_paused_job_goes_on_bit_for_bit(method: str, make_job: MakeJob) -> None:
    over = {"method": {"lora_config": {"dropout": 0.2}} if method == "LORA" else {}, "schedule": {"max_steps": 8}}
    pause = {3: worker_service_pb2.DIRECTIVE_PAUSE}
    check_that_it_goes_on_bit_for_bit(
        job_of(make_job, over, method=method), job_of(make_job, over, method=method, directives=pause)
    )


def test_a_step_is_the_same_however_it_is_divided(make_job: MakeJob) -> None:
    """Also where the last batch of a step has fewer rows: heads average over a batch, and the step is what counts."""
    over = {"max_steps": None, "epochs": 2, "evaluations": 0}
    whole = job_of(make_job, {"schedule": over | {"batch_size": 27}}, method="FULL", evaluate=False).run()
    parts = job_of(
        make_job, {"schedule": over | {"batch_size": 5, "gradient_accumulation": 6}}, method="FULL", evaluate=False
    ).run()
    assert len(whole.losses()) == len(parts.losses()) == 2
    assert parts.losses() == pytest.approx(whole.losses(), rel=1e-4)
    assert list(parts.points["gradient_norm"].values()) == pytest.approx(list(whole.points["gradient_norm"].values()), rel=1e-3)


def test_the_losses_are_those_of_a_plain_script(make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    job = job_of(make_job, {"schedule": {"max_steps": 8}}, method="FULL", evaluate=False)
    ours = job.run().losses()
    settings = job.assignment.configuration
    set_seed(settings.schedule.seed)
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    names = sorted(LABELS)
    model: Any = AutoModelForSequenceClassification.from_pretrained(
        tiny_base, num_labels=3, pad_token_id=tokenizer.pad_token_id, dtype=torch.float32
    )
    rows = [{"input_ids": tokenizer(row["text"])["input_ids"], "labels": names.index(row["label"])} for row in TRAINING]
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(tmp_path / "plain"),
            max_steps=8,
            per_device_train_batch_size=9,
            learning_rate=settings.optimizer.learning_rate,
            lr_scheduler_type="cosine",
            lr_scheduler_kwargs={"num_cycles": 0.5},
            optim="adamw_torch_fused",
            max_grad_norm=settings.optimizer.max_gradient_norm,
            weight_decay=settings.optimizer.weight_decay,
            warmup_steps=settings.optimizer.scheduler.warmup_ratio,
            logging_steps=1,
            logging_nan_inf_filter=False,
            save_strategy="no",
            report_to="none",
            seed=settings.schedule.seed,
            use_cpu=not torch.cuda.is_available(),
        ),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    trainer.train()
    plain = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(plain) == 8
    assert ours == pytest.approx(plain, rel=1e-6)


def test_a_base_without_some_weights_of_its_body_is_refused(make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    holed = tmp_path / "holed"
    holed.mkdir()
    for path in tiny_base.iterdir():
        (holed / path.name).write_bytes(path.read_bytes())
    tensors = load_file(tiny_base / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in tensors.items() if "q_proj" not in name}, holed / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(FailedPrecondition, match="q_proj"):
        job_of(make_job, base=holed).run()


def test_a_cancelled_job_stops(make_job: MakeJob) -> None:
    sink = job_of(make_job, {"schedule": {"max_steps": 8}}, directives={2: worker_service_pb2.DIRECTIVE_CANCEL}).stopped()
    assert not sink.sets
    assert max(sink.points["train_loss"]) == 2
