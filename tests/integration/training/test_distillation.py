"""A student learns what its teacher says of the rows, by the formula, and goes on to the last bit."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import kl_div, log_softmax, softmax
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
from tunesmith.job.v1 import artifact_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import FailedPrecondition, InvalidArgument
from workers.training.distillation_trainer import divergences
from workers.training.recipes import distillation
from workers.training.teacher import OutputLayer

from .conftest import ROWS, TEXTS, Job

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
MakeDistillation = Callable[..., Job]


def written_teacher(folder: Path, tiny_base: Path, rows: int | None = None, **settings: Any) -> Path:
    """A model of another width that is surer of itself than one with fresh weights, and the student's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(5)
    shape = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 1, "num_attention_heads": 4}
    ends = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1}
    configuration = LlamaConfig(vocab_size=rows or len(tokenizer), initializer_range=0.3, **shape, **ends, **settings)
    LlamaForCausalLM(configuration).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    return written_teacher(tmp_path_factory.mktemp("teacher"), tiny_base)


@pytest.fixture
def make_distillation(make_job: MakeJob, teacher: Path) -> MakeDistillation:
    """A job as `make_job` makes it, with a teacher."""

    def make(settings: dict[str, Any] | None = None, *, rows: str = "TEXT", taught_by: Path = teacher, **named: Any) -> Job:
        sections = dict(named.pop("configuration", {}))
        asked = {"teacher_model": "base-2", **(settings or {})}
        method = {"objective": "TRAINING_OBJECTIVE_DISTILLATION", "distillation_config": asked, **sections.pop("method", {})}
        job = make_job(rows, {"method": method, **sections}, **named)
        job.inputs = replace(job.inputs, teacher_model=str(taught_by))
        job.assignment.teacher_model.id, job.assignment.teacher_model.display_name = "base-2", "sage"
        return job

    return make


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_divergence_is_the_published_one(temperature: float) -> None:
    """Against full logits and torch's own divergence, with widths, vocabularies, biases and factors that differ."""
    torch.manual_seed(0)
    ours, theirs = torch.randn(7, 8, requires_grad=True), torch.randn(7, 12)
    student = OutputLayer(torch.randn(50, 8, requires_grad=True), torch.randn(50, requires_grad=True), 0.5, 3.0)
    teacher = OutputLayer(torch.randn(64, 12), None, 2.0, None)
    found = divergences(ours, student, theirs, teacher, temperature)
    found.pow(2).sum().backward()
    moved = [tensor.grad.clone() for tensor in (ours, student.weight, student.bias)]
    for tensor in (ours, student.weight, student.bias):
        tensor.grad = None

    said = 3.0 * torch.tanh((ours @ student.weight.T + student.bias) * 0.5 / 3.0) / temperature
    wanted = 2.0 * (theirs @ teacher.weight[:50].T) / temperature
    expected = kl_div(log_softmax(said, -1), softmax(wanted, -1), reduction="none").sum(-1)
    expected.pow(2).sum().backward()
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)
    for gradient, tensor in zip(moved, (ours, student.weight, student.bias), strict=True):
        assert torch.allclose(gradient, tensor.grad, rtol=1e-3, atol=1e-4)


def by_hand(base: Path, teacher: Path, temperature: float) -> tuple[float, float]:
    """Mean negative log-likelihood and mean divergence of the eight rows, one after the other and without trl."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    student, sage = (AutoModelForCausalLM.from_pretrained(folder) for folder in (base, teacher))
    student.requires_grad_(False)
    sage.requires_grad_(False)
    likelihood, divergence, count = 0.0, 0.0, 0
    for text in TEXTS[:8]:
        row = torch.tensor([[*tokenizer(text)["input_ids"], tokenizer.eos_token_id]])
        said, wanted = (model(row).logits[0, :-1] for model in (student, sage))
        likelihood -= said.log_softmax(-1).gather(1, row[0, 1:, None]).sum().item()
        divergence += kl_div((said / temperature).log_softmax(-1), (wanted / temperature).softmax(-1), reduction="sum").item()
        count += row.shape[1] - 1
    return likelihood / count, divergence / count


@pytest.mark.parametrize("method", ["FULL", "LORA"])
@pytest.mark.parametrize("batch", [{"batch_size": 8}, {"batch_size": 2, "gradient_accumulation": 4}])
def test_the_loss_is_the_formula(
    method: str, batch: dict[str, int], make_distillation: MakeDistillation, tiny_base: Path, teacher: Path
) -> None:
    settings = {"temperature": 1.5, "teacher_weight": 0.3}
    sink = make_distillation(settings, method=method, configuration={"schedule": {"max_steps": 1, **batch}}).run()
    likelihood, divergence = by_hand(tiny_base, teacher, 1.5)
    assert sink.losses()[0] == pytest.approx(0.7 * likelihood + 0.3 * 1.5**2 * divergence, rel=1e-4)
    # Of batches of different lengths it is the mean of their means.
    assert sink.points["teacher_divergence"][1] == pytest.approx(divergence, rel=1e-4 if batch["batch_size"] == 8 else 0.05)


def test_packed_rows_have_the_loss_of_padded_ones(make_distillation: MakeDistillation) -> None:
    padded = make_distillation(configuration={"schedule": {"max_steps": 1, "batch_size": 8}}).run()
    enabled = {"enabled": ["OPTIMIZATION_FEATURE_SEQUENCE_PACKING"]}
    packed = make_distillation(configuration={"schedule": {"max_steps": 1, "batch_size": 8}, "optimizations": enabled}).run()
    assert packed.warnings == []
    assert packed.losses() == pytest.approx(padded.losses(), rel=1e-4)
    assert packed.points["teacher_divergence"][1] == pytest.approx(padded.points["teacher_divergence"][1], rel=1e-4)


@pytest.mark.parametrize("method", ["FULL", "LORA"])
def test_activations_that_are_computed_again_change_nothing(method: str, make_distillation: MakeDistillation) -> None:
    enabled = {"enabled": ["OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING", "OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]}
    again = make_distillation(method=method, configuration={"optimizations": enabled}).run()
    assert again.losses() == make_distillation(method=method).run().losses()


@pytest.mark.parametrize(("method", "rows"), [("FULL", "ALPACA"), ("LORA", "MESSAGES")])
def test_a_teacher_without_weight_is_plain_training(
    method: str, rows: str, make_distillation: MakeDistillation, make_job: MakeJob, tmp_path: Path
) -> None:
    job = make_distillation({"teacher_weight": 0}, rows=rows, method=method, evaluate=True, taught_by=tmp_path / "nowhere")
    sink, plain = job.run(), make_job(rows, method=method, evaluate=True).run()
    assert sink.losses() == plain.losses()
    assert sink.evaluations == plain.evaluations
    assert sink.points["gradient_norm"] == plain.points["gradient_norm"]
    assert "teacher_divergence" not in sink.points
    assert "sage is not loaded" in sink.warnings[0]


@pytest.mark.parametrize("setting", [{"temperature": 4.0}, {"teacher_weight": 0.9}])
def test_each_setting_changes_the_run(setting: dict[str, float], make_distillation: MakeDistillation) -> None:
    assert make_distillation(setting).run().losses() != make_distillation().run().losses()


def test_an_adapter_on_quantized_weights_learns_of_a_teacher(make_distillation: MakeDistillation) -> None:
    configuration = {
        "model": {"precision": "MODEL_PRECISION_INT4"},
        "method": {"lora_config": {"rank": 4, "alpha": 8}},
        "schedule": {"max_steps": 20, "batch_size": 8},
        "optimizer": {"learning_rate": 1e-2},
    }
    sink = make_distillation({"temperature": 1.0, "teacher_weight": 1.0}, method="QLORA", configuration=configuration).run()
    divergence = sink.points["teacher_divergence"]
    assert divergence[20] < 0.98 * divergence[1]


# An adapter leaves the output layer as it is, which is nearly blind in a model with fresh weights.
@pytest.mark.parametrize(("method", "precision", "share"), [("FULL", "FP32", 0.8), ("LORA", "BF16", 0.95)])
def test_the_student_approaches_its_teacher_which_stays(
    method: str, precision: str, share: float, make_distillation: MakeDistillation, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[tuple[Any, dict[str, torch.Tensor]]] = []
    load = distillation.load_teacher

    def seen(*arguments: Any) -> Any:
        model = load(*arguments)
        held.append((model, {name: value.clone() for name, value in model.state_dict().items()}))
        return model

    monkeypatch.setattr(distillation, "load_teacher", seen)
    configuration = {
        "model": {"precision": f"MODEL_PRECISION_{precision}"},
        "schedule": {"max_steps": 40, "batch_size": 8},
        "optimizer": {"learning_rate": 1e-2},
    }
    settings = {"temperature": 1.0, "teacher_weight": 1.0}
    sink = make_distillation(settings, method=method, configuration=configuration).run()
    divergence = sink.points["teacher_divergence"]
    assert divergence[40] < share * divergence[1]
    assert divergence == pytest.approx(sink.points["train_loss"])
    ((model, before),) = held
    assert not model.training and not any(parameter.requires_grad for parameter in model.parameters())
    assert {value.dtype for value in before.values()} == {torch.bfloat16 if precision == "BF16" else torch.float32}
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(("method", "stop"), [("FULL", 3), ("LORA", 2)])
def test_a_run_goes_on_as_if_it_had_never_stopped(method: str, stop: int, make_distillation: MakeDistillation) -> None:
    adapter = {"lora_config": {"dropout": 0.2}} if method == "LORA" else {}
    named: dict[str, Any] = {"method": method, "evaluate": True, "configuration": {"method": adapter}}
    whole = make_distillation(**named).run()
    paused = make_distillation(**named, directives={stop: worker_service_pb2.DIRECTIVE_PAUSE})
    before = paused.stopped()
    after = paused.next_attempt().run()
    assert before.sets == {"training-state": (artifact_pb2.ARTIFACT_KIND_TRAINING_STATE, stop)}
    for key in ("train_loss", "eval_loss", "gradient_norm", "teacher_divergence", "eval_teacher_divergence", "epoch"):
        assert before.points.get(key, {}) | after.points.get(key, {}) == whole.points[key]
    assert list(after.points["train_loss"]) == list(range(stop + 1, 6))
    name = "model/model.safetensors" if method == "FULL" else "adapter/adapter_model.safetensors"
    ours, theirs = (load_file(sink.artifacts_folder / name) for sink in (after, whole))
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[one], theirs[one]) for one in ours)
    assert after.warnings == whole.warnings == []


def test_another_teacher_is_another_run(make_distillation: MakeDistillation) -> None:
    paused = make_distillation(directives={2: worker_service_pb2.DIRECTIVE_PAUSE})
    paused.stopped()
    following = paused.next_attempt()
    following.assignment.teacher_model.id = "base-3"
    assert "starts over: the teacher was" in following.run().warnings[0]


def test_a_vocabulary_that_is_rounded_up_otherwise_is_the_same(
    make_distillation: MakeDistillation, tiny_base: Path, tmp_path: Path
) -> None:
    wider = written_teacher(tmp_path / "wider", tiny_base, rows=448)
    sink = make_distillation(taught_by=wider).run()
    assert len(sink.losses()) == 5 and sink.warnings == []


def test_another_vocabulary_is_refused(
    make_distillation: MakeDistillation, tiny_base: Path, teacher: Path, tmp_path: Path
) -> None:
    shutil.copytree(teacher, tmp_path / "other")
    text = (tmp_path / "other" / "tokenizer.json").read_text(encoding="utf-8")
    vocabulary = AutoTokenizer.from_pretrained(tiny_base).get_vocab()
    one, other = sorted(vocabulary, key=lambda token: vocabulary[token])[300:302]
    swapped = (
        text.replace(f'"{one}": 300', '"...": 300').replace(f'"{other}": 301', f'"{one}": 301').replace('"..."', f'"{other}"')
    )
    assert swapped != text
    (tmp_path / "other" / "tokenizer.json").write_text(swapped, encoding="utf-8")
    with pytest.raises(InvalidArgument, match="is token 300 of the one and 301 of the other") as refused:
        make_distillation(taught_by=tmp_path / "other").run()
    assert refused.value.violations[0][0] == "method.distillation_config.teacher_model"


def test_a_teacher_that_lacks_weights_is_refused(make_distillation: MakeDistillation, teacher: Path, tmp_path: Path) -> None:
    shutil.copytree(teacher, tmp_path / "half")
    weights = load_file(teacher / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, tmp_path / "half" / "model.safetensors", {"format": "pt"})
    with pytest.raises(FailedPrecondition, match="teacher's files lack weights"):
        make_distillation(taught_by=tmp_path / "half").run()


def test_rows_are_cut_to_what_the_teacher_reads_and_the_card_names_it(
    make_distillation: MakeDistillation, tiny_base: Path, tmp_path: Path
) -> None:
    short = written_teacher(tmp_path / "short", tiny_base, max_position_embeddings=24)
    sink = make_distillation(taught_by=short, training=[{"text": "word " * 60}, *ROWS["TEXT"][:2]]).run()
    assert "The teacher has positions for 24 tokens" in sink.warnings[0]
    assert "fill all 24 tokens" in sink.warnings[1]
    card = (sink.artifacts_folder / "adapter" / "README.md").read_text()
    assert "- distillation" in card and "| Teacher | sage, `base-2`, id `base-2` |" in card
    assert "what sage says of the rows' tokens (0.5 of its loss at temperature 2)" in card
