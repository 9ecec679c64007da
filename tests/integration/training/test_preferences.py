"""Preferences are learnt as trl's own trainer learns them, by every loss, with a reference and without one."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn.functional import logsigmoid
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    PreTrainedTokenizerFast,
    PrinterCallback,
)
from trl import DPOConfig, DPOTrainer
from tunesmith.config.v1 import method_pb2
from tunesmith.job.v1 import artifact_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import InvalidArgument
from tests.conftest import FOREIGN_DATA
from workers.providers.local.preference import LOSSES
from workers.training.recipes import preference

from .conftest import CHAT_TEMPLATE, ROWS, TEXTS, Job, _write
from .test_same_as_plain_trl import LORA

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
CHAT_DATA = Path(__file__).parents[4] / "shared" / "data" / "chat"
SERIES = {"reward_accuracy", "reward_margin", "chosen_reward", "rejected_reward"}
CHAT = [
    {
        "prompt": [{"role": "user", "content": text[:9]}],
        "chosen": [{"role": "assistant", "content": text[9:]}],
        "rejected": [{"role": "assistant", "content": text[:8:-1]}],
    }
    for text in TEXTS
]


def dpo(preference: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    method: dict[str, Any] = {"objective": "TRAINING_OBJECTIVE_DPO"}
    if preference is not None:
        method["preference_config"] = preference
    lora = sections.pop("lora_config", None)
    return {"method": method | ({"lora_config": lora} if lora else {}), **sections}


def plain(base: Path, folder: Path, rows: list[Any], *, lora: bool, **flags: Any) -> DPOTrainer:
    """What a person without Tunesmith would write."""
    trainer = DPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        args=DPOConfig(
            output_dir=str(folder),
            use_cpu=True,
            bf16=False,
            per_device_train_batch_size=2,
            per_device_eval_batch_size=2,
            max_length=512,
            learning_rate=1e-3,
            lr_scheduler_type="cosine",
            seed=7,
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
            save_strategy="no",
            eval_strategy="steps",
            eval_on_start=True,
            **flags,
        ),
        train_dataset=Dataset.from_list(rows[:8]),
        eval_dataset=Dataset.from_list(rows[8:]),
        processing_class=AutoTokenizer.from_pretrained(base),
        peft_config=LORA if lora else None,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return trainer


def logged(trainer: DPOTrainer, key: str) -> list[float]:
    return [entry[key] for entry in trainer.state.log_history if key in entry]


SAME: dict[str, tuple[str, dict[str, Any], list[Any], dict[str, Any]]] = {
    "text, full": ("FULL", {"schedule": {"evaluations": 1}}, ROWS["PREFERENCE"], {"max_steps": 5, "eval_steps": 5}),
    # Dropout of the adapter is left out: trl switches it off with the model's own, and here it is a knob.
    "turns, LoRA, two losses": (
        "LORA",
        {
            **dpo(
                {"loss": "PREFERENCE_LOSS_IPO", "beta": 0.5, "sft_weight": 0.25},
                schedule={"max_steps": None, "epochs": 1, "gradient_accumulation": 2, "evaluations": 1},
            ),
        },
        CHAT,
        {
            "num_train_epochs": 1,
            "gradient_accumulation_steps": 2,
            "eval_steps": 2,
            "loss_type": ["ipo", "sft"],
            "loss_weights": [1.0, 0.25],
            "beta": 0.5,
        },
    ),
    "text, LoRA, robust, computed again": (
        "LORA",
        {
            **dpo(
                {"loss": "PREFERENCE_LOSS_ROBUST", "label_smoothing": 0.2},
                schedule={"max_steps": 3, "evaluations": 1},
                optimizations={"enabled": ["OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING"]},
            ),
        },
        ROWS["PREFERENCE"],
        {
            "max_steps": 3,
            "eval_steps": 3,
            "loss_type": "robust",
            "label_smoothing": 0.2,
            "pad_to_multiple_of": 512,
            "activation_checkpointing": True,
        },
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_losses_are_bit_equal_to_a_plain_script(case: str, make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    method, settings, rows, flags = SAME[case]
    job = make_job("PREFERENCE", dpo() | settings | {"method": (dpo() | settings)["method"]}, method=method, evaluate=True)
    _write(job.inputs.training_rows, rows[:8])
    assert job.inputs.validation_rows is not None
    _write(job.inputs.validation_rows, rows[8:])
    sink = job.run()
    script = plain(tiny_base, tmp_path / "plain", rows, lora=method == "LORA", **{"activation_checkpointing": False} | flags)
    assert len(sink.losses()) == script.state.max_steps >= 2
    assert sink.losses() == logged(script, "loss")
    assert [loss for _, loss in sink.evaluations] == logged(script, "eval_loss")
    assert list(sink.points["gradient_norm"].values()) == logged(script, "grad_norm")
    assert list(sink.points["reward_margin"].values()) == logged(script, "rewards/margins")
    assert list(sink.points["eval_reward_accuracy"].values()) == logged(script, "eval_rewards/accuracies")
    assert set(sink.points) >= SERIES | {f"eval_{name}" for name in SERIES} | {"train_loss", "eval_loss", "tokens_per_second"}


LN2 = math.log(2)
# Where the model still is its reference, every ratio is 1, and the published formulas give these for beta 0.1.
AT_THE_REFERENCE = {
    "SIGMOID": LN2,
    "HINGE": 1.0,
    "IPO": (1 / (2 * 0.1)) ** 2,
    "ROBUST": LN2,
    "EXO_PAIR": 0.5 * (math.log(0.5) - math.log(1 - 0.001)) + 0.5 * (math.log(0.5) - math.log(0.001)),
    "NCA_PAIR": 2 * LN2,
    "BCO_PAIR": 2 * LN2,
    "SPPO_HARD": 2 * (0.5 / 0.1) ** 2,
    "AOT": LN2,
    "APO_ZERO": 1.0,
    "APO_DOWN": 1.0,
}


@pytest.fixture(scope="module")
def seen() -> dict[str, tuple[float, ...]]:
    """The losses of each loss that was tried."""
    return {}


@pytest.mark.parametrize("loss", AT_THE_REFERENCE)
def test_each_loss_is_the_published_one(loss: str, make_job: MakeJob, seen: dict[str, tuple[float, ...]]) -> None:
    assert {f"PREFERENCE_LOSS_{name}" for name in AT_THE_REFERENCE} == {method_pb2.PreferenceLoss.Name(one) for one in LOSSES}
    sink = make_job("PREFERENCE", dpo({"loss": f"PREFERENCE_LOSS_{loss}"}, schedule={"max_steps": 3}), method="FULL").run()
    assert sink.losses()[0] == pytest.approx(AT_THE_REFERENCE[loss], rel=1e-5)
    # Without smoothing ROBUST is SIGMOID, and so is AOT where the likelier pairs are the same by either model.
    assert tuple(sink.losses()) not in seen.values() or loss in ("ROBUST", "AOT")
    seen[loss] = tuple(sink.losses())


@pytest.mark.parametrize(
    "preference",
    [{"beta": 0.5}, {"sft_weight": 1.0}, {"reference_free": True}, {"loss": "PREFERENCE_LOSS_ROBUST", "label_smoothing": 0.3}],
)
def test_each_setting_changes_the_run(preference: dict[str, Any], make_job: MakeJob) -> None:
    unset, changed = make_job("PREFERENCE", dpo()).run(), make_job("PREFERENCE", dpo(preference)).run()
    assert unset.losses() == make_job("PREFERENCE", dpo({})).run().losses()
    assert unset.losses() != changed.losses()


def test_an_adapters_dropout_acts_and_the_models_own_does_not(make_job: MakeJob) -> None:
    without, some = (make_job("PREFERENCE", dpo(lora_config={"dropout": dropout})).run() for dropout in (0.0, 0.5))
    # The first factor is zero before the first step, whatever is dropped.
    assert without.losses()[0] == some.losses()[0]
    assert without.losses()[1:] != some.losses()[1:]


def likelihoods(base: Path, rows: list[dict[str, str]]) -> tuple[torch.Tensor, torch.Tensor]:
    """The logarithm of each answer's likelihood, one row after the other and without trl."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    model.requires_grad_(False)
    found: dict[str, list[torch.Tensor]] = {"chosen": [], "rejected": []}
    for row in rows:
        answers = {name: tokenizer(row["prompt"] + row[name])["input_ids"] + [tokenizer.eos_token_id] for name in found}
        # A token may reach over the prompt's end; then it belongs to the answer.
        prompt = zip(tokenizer(row["prompt"])["input_ids"], *answers.values(), strict=False)
        shared = len(list(takewhile(lambda tokens: len(set(tokens)) == 1, prompt)))
        for name, whole in answers.items():
            said = model(torch.tensor([whole])).logits[0].log_softmax(-1)
            found[name].append(torch.stack([said[place - 1, whole[place]] for place in range(shared, len(whole))]).sum())
    return torch.stack(found["chosen"]), torch.stack(found["rejected"])


@dataclass
class Counted:
    """How often a run loads a model, and sends a batch through one."""

    loads: int = 0
    passes: int = 0


def counting(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted = Counted()
    load, forward = preference.load_base, LlamaModel.forward

    def seen_load(*arguments: Any) -> Any:
        counted.loads += 1
        return load(*arguments)

    def seen_forward(*arguments: Any, **named: Any) -> Any:
        counted.passes += 1
        return forward(*arguments, **named)

    monkeypatch.setattr(preference, "load_base", seen_load)
    monkeypatch.setattr(LlamaModel, "forward", seen_forward)
    return counted


@pytest.mark.parametrize(("method", "loads"), [("LORA", 1), ("FULL", 2)])
def test_without_a_reference_there_is_one_model_and_one_pass(
    method: str, loads: int, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    for free, expected in ((False, Counted(loads, 2 * 3)), (True, Counted(1, 3))):
        with monkeypatch.context() as patched:
            counted = counting(patched)
            make_job("PREFERENCE", dpo({"reference_free": free}, schedule={"max_steps": 3}), method=method).run()
            assert counted == expected


@pytest.mark.parametrize("method", ["LORA", "FULL"])
def test_without_a_reference_the_models_own_likelihoods_are_compared(method: str, make_job: MakeJob, tiny_base: Path) -> None:
    # One step of all rows, so that their order makes no difference.
    settings = dpo({"reference_free": True, "beta": 0.01}, schedule={"max_steps": 1, "batch_size": 8})
    sink = make_job("PREFERENCE", settings, method=method).run()
    chosen, rejected = likelihoods(tiny_base, ROWS["PREFERENCE"][:8])
    expected = {
        "train_loss": -logsigmoid(0.01 * (chosen - rejected)),
        "chosen_reward": 0.01 * chosen,
        "rejected_reward": 0.01 * rejected,
        "reward_margin": 0.01 * (chosen - rejected),
        "reward_accuracy": (chosen > rejected).float(),
    }
    assert {key: sink.points[key][1] for key in expected} == {
        key: pytest.approx(value.mean().item(), rel=1e-4) for key, value in expected.items()
    }


@pytest.mark.parametrize(
    ("method", "settings", "stop"),
    [
        ("FULL", dpo(schedule={"max_steps": 6, "evaluations": 2}), 3),
        ("LORA", dpo({"sft_weight": 0.5}, lora_config={"dropout": 0.2}, schedule={"max_steps": None, "epochs": 2}), 5),
        ("FULL", dpo({"reference_free": True}, model={"precision": "MODEL_PRECISION_BF16"}), 2),
    ],
)
def test_a_run_goes_on_as_if_it_had_never_stopped(method: str, settings: dict[str, Any], stop: int, make_job: MakeJob) -> None:
    whole = make_job("PREFERENCE", settings, method=method, evaluate=True).run()
    paused = make_job("PREFERENCE", settings, method=method, evaluate=True, directives={stop: worker_service_pb2.DIRECTIVE_PAUSE})
    before = paused.stopped()
    after = paused.next_attempt().run()
    assert before.sets == {"training-state": (artifact_pb2.ARTIFACT_KIND_TRAINING_STATE, stop)}
    for key in (
        {"train_loss", "eval_loss", "gradient_norm", "learning_rate", "epoch"} | SERIES | {f"eval_{one}" for one in SERIES}
    ):
        assert before.points.get(key, {}) | after.points.get(key, {}) == whole.points[key]
    assert list(after.points["train_loss"]) == list(range(stop + 1, len(whole.losses()) + 1))
    name = "model/model.safetensors" if method == "FULL" else "adapter/adapter_model.safetensors"
    ours, theirs = (load_file(sink.artifacts_folder / name) for sink in (after, whole))
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[one], theirs[one]) for one in ours)


def test_an_adapter_on_quantized_weights_learns_preferences(make_job: MakeJob) -> None:
    quantized = dpo(
        lora_config={"rank": 4, "alpha": 8},
        model={"precision": "MODEL_PRECISION_INT4"},
        schedule={"max_steps": 12, "batch_size": 8, "evaluations": 1},
        optimizer={"learning_rate": 5e-3},
    )
    sink = make_job("PREFERENCE", quantized, method="QLORA", evaluate=True).run()
    # The reference is the quantized base itself.
    assert sink.losses()[0] == pytest.approx(LN2, rel=1e-3)
    assert sink.losses()[-1] < 0.6
    assert sink.points["eval_reward_accuracy"][12] == 1


def test_a_cancelled_run_stores_nothing_and_checkpoints_are_whole(make_job: MakeJob) -> None:
    cancelled = make_job("PREFERENCE", dpo(), directives={2: worker_service_pb2.DIRECTIVE_CANCEL}).stopped()
    assert cancelled.sets == {}
    kept = make_job("PREFERENCE", dpo(schedule={"checkpoints": 2})).run()
    assert [name for name in kept.sets if not name.endswith("-state")] == ["checkpoint-3", "checkpoint-5", "adapter"]
    adapter = kept.artifacts_folder / "adapter"
    assert {path.suffix for path in adapter.iterdir()} <= {".safetensors", ".json", ".md", ".jinja"}
    card = (adapter / "README.md").read_text()
    assert "- dpo" in card and "- lora" in card and "DPO, sigmoid loss, beta 0.1" in card and "train-1 rows" in card


def test_strategy_says_what_the_pairs_are(make_job: MakeJob) -> None:
    chat, standard = ({"datasets": {"strategy": f"DATASET_STRATEGY_{name}"}} for name in ("CHAT", "STANDARD"))
    of_turns = make_job("PREFERENCE", dpo() | chat, training=CHAT[:8]).run()
    assert of_turns.losses() == make_job("PREFERENCE", dpo(), training=CHAT[:8]).run().losses()
    assert make_job("PREFERENCE", dpo() | standard).run().losses() != of_turns.losses()
    for rows, strategy, word in ((CHAT[:8], standard, "can't read turns"), (None, chat, "needs pairs of turns")):
        with pytest.raises(InvalidArgument, match=word) as refused:
            make_job("PREFERENCE", dpo() | strategy, training=rows).run()
        assert refused.value.violations[0][0] == "datasets.strategy"


def test_turns_need_a_template(make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    LlamaForCausalLM.from_pretrained(tiny_base).save_pretrained(tmp_path / "base")
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "base")
    with pytest.raises(InvalidArgument, match="no chat template"):
        make_job("PREFERENCE", dpo(), training=CHAT[:8], base=tmp_path / "base").run()


def test_pairs_that_say_nothing_are_left_out_by_number(make_job: MakeJob) -> None:
    same = {"prompt": "Hi", "chosen": "Hello", "rejected": "Hello"}
    long = {"prompt": "word " * 3000, "chosen": "yes", "rejected": "no"}
    cut = {"prompt": "Hi", "chosen": "word " * 3000, "rejected": "no " * 3000}
    sink = make_job("PREFERENCE", dpo(schedule={"max_steps": 2}), training=[*ROWS["PREFERENCE"][:3], same, long, cut]).run()
    assert "2 of 6 rows of datasets.training_file_id have no answers that differ" in sink.warnings[0]
    assert "1 of 6 rows of datasets.training_file_id are longer than 512 tokens" in sink.warnings[1]
    with pytest.raises(InvalidArgument, match="no pair has answers that differ within 512 tokens"):
        make_job("PREFERENCE", dpo(), training=[same, long]).run()


def test_rows_of_another_kind_are_refused(make_job: MakeJob) -> None:
    with pytest.raises(InvalidArgument, match="objective DPO needs preference pairs"):
        make_job("TEXT", dpo()).run()


def openings(row: dict[str, Any]) -> dict[str, Any]:
    """How the last question and both answers begin."""
    return {
        "conversations": [{"from": "human", "value": row["conversations"][-1]["value"][:20]}],
        **{name: {"from": "gpt", "value": row[name]["value"][:40]} for name in ("chosen", "rejected")},
    }


def reading(folder: Path, texts: list[str]) -> Path:
    """A Llama of one layer with random weights, whose tokens are those of the texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<eos>", "<|user|>", "<|assistant|>", "<|system|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1024, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(1)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    ends = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(fast), tie_word_embeddings=True, **shape, **ends)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("seed", [1, 4])
def test_pairs_that_were_not_seen_are_told_apart(seed: int, make_job: MakeJob, tmp_path: Path) -> None:
    """Of real preferences, by the first words of the answers: the rejected ones are more often sure and happy to help."""
    path = CHAT_DATA / "dpo_en_demo.json"
    if not path.exists():
        pytest.skip(f"{FOREIGN_DATA}{path.name} is not beside this checkout")
    rows = json.loads(path.read_text(encoding="utf-8"))
    answers = [row[name]["value"][:200] for row in rows[:200] for name in ("chosen", "rejected")]
    settings = dpo(
        schedule={"max_steps": 25, "batch_size": 8, "evaluations": 1, "seed": seed},
        optimizer={"scheduler": {"type": "LR_SCHEDULER_TYPE_CONSTANT"}},
    )
    pairs = [openings(row) for row in rows]
    base = reading(tmp_path / "base", answers)
    job = make_job("PREFERENCE", settings, method="FULL", evaluate=True, training=pairs[:200], base=base)
    assert job.inputs.validation_rows is not None
    _write(job.inputs.validation_rows, pairs[200:])
    sink = job.run()
    before, after = (sink.points["eval_loss"][step] for step in (0, 25))
    # A model that is its own reference prefers none of two.
    assert (before, sink.points["eval_reward_accuracy"][0]) == (pytest.approx(LN2), 0)
    assert after < LN2 - 0.015
    assert sink.points["eval_reward_accuracy"][25] > 0.55
    assert sink.points["eval_reward_margin"][25] > 0.05
