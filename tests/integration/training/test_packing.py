"""Packed rows: no document sees another, none is lost, and the loss is that of the same documents in a padded batch."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PreTrainedModel,
    PrinterCallback,
    Qwen3Config,
)
from trl import SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
from trl.trainer.utils import add_fused_lm_head
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import FailedPrecondition
from services.preflight.row_batches import documents_per_row
from workers.training.attention import WITHIN_DOCUMENTS
from workers.training.packing import DocumentCollator, attend_by_document, check_that_documents_stay_apart, packed

from .conftest import ROWS, Job

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
PACKING = {"enabled": ["OPTIMIZATION_FEATURE_SEQUENCE_PACKING"]}
VOCABULARY = 64
_SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 1,
}
# Gemma's layers of both kinds, with a window that is shorter than the longest document.
CONFIGURATIONS = {
    "llama": LlamaConfig(**_SHAPE),
    "qwen3": Qwen3Config(**_SHAPE, head_dim=8),
    "gpt2": GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=1, pad_token_id=0
    ),
    "mistral": MistralConfig(**_SHAPE, sliding_window=4),
    "gemma3": Gemma3TextConfig(
        **_SHAPE, head_dim=8, sliding_window=4, layer_types=["sliding_attention", "full_attention"], query_pre_attn_scalar=8
    ),
}
LENGTHS = (9, 4, 1, 6, 13)


def built(name: str) -> PreTrainedModel:
    torch.manual_seed(3)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(copy.deepcopy(CONFIGURATIONS[name]), attn_implementation="sdpa")
    return model.eval()


def documents() -> list[dict[str, Any]]:
    draw = torch.Generator().manual_seed(5)
    return [{"input_ids": torch.randint(2, VOCABULARY, (length,), generator=draw).tolist()} for length in LENGTHS]


def logits(model: Any, examples: list[dict[str, Any]]) -> torch.Tensor:
    batch = DocumentCollator(pad_token_id=0, padding_free=True)(examples)
    del batch["labels"]
    with torch.no_grad():
        found: torch.Tensor = model(**batch, use_cache=False).logits[0]
    return found


def test_the_architectures_are_these() -> None:
    assert len(CONFIGURATIONS) == 5


@pytest.mark.parametrize("name", list(CONFIGURATIONS))
def test_a_changed_document_moves_no_others_logits(name: str) -> None:
    model = built(name)
    attend_by_document(model)
    rows = documents()
    before = logits(model, rows).split(LENGTHS)
    for number in range(len(rows)):
        changed = [dict(row) for row in rows]
        changed[number]["input_ids"] = [token ^ 1 for token in changed[number]["input_ids"]]
        after = logits(model, changed).split(LENGTHS)
        same = [torch.equal(one, other) for one, other in zip(before, after, strict=True)]
        assert same == [place != number for place in range(len(rows))]


@pytest.mark.parametrize("name", list(CONFIGURATIONS))
def test_a_packed_document_reads_as_it_does_alone(name: str) -> None:
    model, plain = built(name), built(name)
    attend_by_document(model)
    together = logits(model, documents()).split(LENGTHS)
    for row, found in zip(documents(), together, strict=True):
        with torch.no_grad():
            alone = plain(torch.tensor([row["input_ids"]]), use_cache=False).logits[0]
        torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("adapter", [False, True])
@pytest.mark.parametrize("name", list(CONFIGURATIONS))
def test_loss_and_gradients_are_those_of_a_padded_batch(name: str, adapter: bool) -> None:
    rows = documents()
    # Of the first row only the answer counts.
    rows[0]["labels"] = [-100] * 5 + rows[0]["input_ids"][5:]
    found = {}
    for packing in (False, True):
        base = built(name)
        if packing:
            attend_by_document(base)
        add_fused_lm_head(base, outputs=("log_probs",))
        torch.manual_seed(9)
        config = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
        model: Any = get_peft_model(base, config) if adapter else base
        collator: Any = DocumentCollator if packing else DataCollatorForLanguageModeling
        outputs = model(**collator(pad_token_id=0, padding_free=packing)(rows), use_cache=False, fused_lm_head=True)
        outputs.loss.backward()
        gradients = {key: value.grad for key, value in model.named_parameters() if value.grad is not None}
        found[packing] = (outputs.loss.detach(), int(outputs.label_mask.sum()), gradients)
    (padded, padded_count, padded_gradients), (loss, count, gradients) = found[False], found[True]
    assert count == padded_count == sum(LENGTHS) - len(LENGTHS) - 4
    torch.testing.assert_close(loss, padded, rtol=1e-5, atol=1e-6)
    assert gradients.keys() == padded_gradients.keys()
    for key, gradient in gradients.items():
        torch.testing.assert_close(gradient, padded_gradients[key], rtol=1e-3, atol=1e-6)


def test_no_document_and_no_token_is_lost() -> None:
    draw = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, 65, (2500,), generator=draw).tolist()
    rows = [{"input_ids": [number] * length, "labels": [number] * length} for number, length in enumerate(lengths)]
    made = packed(Dataset.from_list(rows), 64)
    found = {}
    for row in made:
        assert len(row["input_ids"]) == len(row["labels"]) == sum(row["seq_lengths"]) <= 64
        start = 0
        for length in row["seq_lengths"]:
            (number,) = set(row["input_ids"][start : start + length])
            assert number not in found
            found[number] = length
            start += length
    assert found == dict(enumerate(lengths))
    # As full as whole documents allow, in rows of a thousand.
    assert len(made) * 64 < 1.05 * sum(lengths)
    assert packed(Dataset.from_list(rows), 64).to_list() == made.to_list()


def test_estimates_count_as_many_documents_of_a_row() -> None:
    draw = torch.Generator().manual_seed(2)
    lengths = torch.randint(20, 400, (1000,), generator=draw).tolist()
    made = packed(Dataset.from_list([{"input_ids": [1] * length, "labels": [1] * length} for length in lengths]), 512)
    assert documents_per_row(lengths, 512) == pytest.approx(1000 / len(made), rel=0.005)


def test_a_model_that_caps_its_scores_is_refused() -> None:
    model = AutoModelForCausalLM.from_config(Gemma2Config(**_SHAPE, head_dim=8), attn_implementation="eager")
    with pytest.raises(FailedPrecondition, match=r"caps its scores.*LENGTH_GROUPING"):
        attend_by_document(model)


def test_the_check_finds_a_model_whose_rows_see_each_other() -> None:
    model = built("llama")
    attend_by_document(model)
    check_that_documents_stay_apart(model.train(), model)
    assert model.training
    # Without restarting positions nothing tells the model where rows begin.
    leaking = built("llama")
    forward = leaking.forward
    leaking.forward = lambda **given: forward(input_ids=given["input_ids"], use_cache=False)
    with pytest.raises(FailedPrecondition, match="from one row into the next"):
        check_that_documents_stay_apart(leaking, leaking)
    # Rows apart, but positions that go on.
    counting = built("gpt2")
    attend_by_document(counting)
    own = counting.forward
    counting.forward = lambda **given: own(**{**given, "position_ids": torch.arange(given["input_ids"].shape[1])[None]})
    with pytest.raises(FailedPrecondition, match="from one row into the next"):
        check_that_documents_stay_apart(counting, counting)


EPOCHS = {"max_steps": None, "epochs": 3, "batch_size": 1}
CHECKPOINTING = "OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING"
JOBS: dict[str, tuple[str, dict[str, Any]]] = {
    "full": ("FULL", {}),
    "LoRA": ("LORA", {"method": {"lora_config": {"dropout": 0.2}}}),
    "QLoRA": ("QLORA", {"model": {"precision": "MODEL_PRECISION_INT4"}, "method": {"lora_config": {"rank": 4}}}),
    "LoRA, BF16, checkpointing": (
        "LORA",
        {
            "model": {"precision": "MODEL_PRECISION_BF16"},
            "optimizations": {"enabled": [*PACKING["enabled"], CHECKPOINTING]},
        },
    ),
}


def job_of(case: str, make_job: MakeJob, directives: dict[int, Any] | None = None) -> Job:
    method, settings = JOBS[case]
    return make_job(
        "PROMPT_COMPLETION",
        {"optimizations": PACKING, "schedule": {**EPOCHS, "evaluations": 3}} | settings,
        method=method,
        evaluate=True,
        # About 1,100 tokens: three rows of 512.
        training=[{"prompt": row["prompt"], "completion": f"{row['completion']} {n}"} for n, row in enumerate(TRAINED)],
        directives=directives,
    )


TRAINED = ROWS["PROMPT_COMPLETION"] * 6


@pytest.mark.parametrize("case", list(JOBS))
def test_a_job_trains_on_packed_rows_and_goes_on_as_if_it_had_never_stopped(case: str, make_job: MakeJob) -> None:
    whole = job_of(case, make_job).run()
    assert len(whole.losses()) % 3 == 0
    assert 3 < len(whole.losses()) < 3 * len(TRAINED) / 8
    assert whole.evaluations[-1][1] < whole.evaluations[0][1]
    assert whole.warnings == []
    stop = len(whole.losses()) // 2
    paused = job_of(case, make_job, {stop: worker_service_pb2.DIRECTIVE_PAUSE})
    before, after = paused.stopped(), paused.next_attempt().run()
    for series in ("train_loss", "gradient_norm", "eval_loss", "epoch"):
        assert before.points[series] | after.points[series] == whole.points[series]
    (name,) = {"adapter", "model"} & set(whole.sets)
    (result,) = (whole.artifacts_folder / name).glob("*.safetensors")
    assert (after.artifacts_folder / name / result.name).read_bytes() == result.read_bytes()
    for file in (whole.artifacts_folder / name).glob("*.json"):
        assert WITHIN_DOCUMENTS not in file.read_text()


def test_losses_are_those_of_a_plain_script_that_packs(make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    rows = [{"text": f"{row['text']} {number}"} for number, row in enumerate(ROWS["TEXT"] * 6)]
    settings = {"optimizations": PACKING, "schedule": {"batch_size": 2, "max_steps": 4}}
    sink = make_job("TEXT", settings, method="FULL", training=rows).run()
    arguments = SFTConfig(
        output_dir=str(tmp_path / "plain"),
        use_cpu=True,
        bf16=False,
        packing=True,
        packing_strategy="bfd",
        max_length=512,
        per_device_train_batch_size=2,
        max_steps=4,
        learning_rate=1e-3,
        lr_scheduler_type="cosine",
        activation_checkpointing=False,
        seed=7,
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
    )
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32),
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(tiny_base),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    expected = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    # A mask of all pairs adds up in another order.
    assert sink.losses() == pytest.approx(expected, rel=1e-4)
    assert len(expected) == 4


def test_rows_that_are_cut_or_left_out_are_counted_before_they_are_packed(make_job: MakeJob) -> None:
    rows = [*ROWS["PROMPT_COMPLETION"], {"prompt": "word " * 600, "completion": "end"}, {"prompt": "a", "completion": "b " * 600}]
    sink = make_job("PROMPT_COMPLETION", {"optimizations": PACKING, "schedule": {"max_steps": 1}}, training=rows).run()
    assert len(sink.warnings) == 2
    assert sink.warnings[0].startswith("1 of 12 rows of datasets.training_file_id have nothing left to learn")
    assert sink.warnings[1].startswith("1 of 12 rows of datasets.training_file_id fill all 512 tokens")


def test_a_model_whose_rows_can_not_be_packed_ends_the_job(make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "capped"
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(Gemma2Config(**{**_SHAPE, "vocab_size": 384}, head_dim=8)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_base).save_pretrained(folder)
    with pytest.raises(FailedPrecondition, match=r"Gemma2ForCausalLM can't be packed.*LENGTH_GROUPING"):
        make_job("TEXT", {"optimizations": PACKING}, base=folder).run()
