"""What each way of training leaves loads where Tunesmith is not installed and answers as it did in training; and each of its
settings changes the run.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from services.chassis.errors import InvalidArgument
from services.registry.adapters.configuration import read
from services.registry.adapters.weights import sort
from services.registry.importing.safetensors_header import read_header
from workers.training import attempt as attempts
from workers.training.attempt import Attempt
from workers.training.saving import BASE_ARGUMENTS, save_weights

from .conftest import Job, RecordingSink

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
FP32, INT4, INT8 = ({"precision": f"MODEL_PRECISION_{name}"} for name in ("FP32", "INT4", "INT8"))
RATE = {"learning_rate": 0.02}
ROW = "The kettle sings"

# No Tunesmith: the script runs isolated, in a folder of its own, and says so if it finds any. It does what each card says.
LOAD = """
import pathlib, re, sys, torch
from safetensors.torch import save_file
base_folder, row, result, *folders = sys.argv[1:]
logits = {}
for folder in folders:
    code = re.search(r"```python\\n(.*?)```", (pathlib.Path(folder) / "README.md").read_text(), re.DOTALL)[1]
    exec(code.replace("'tunesmith/tiny'", repr(base_folder)).replace('"path/to/this/folder"', repr(folder)))
    with torch.no_grad():
        logits[folder] = model(**tokenizer(row, return_tensors="pt")).logits.float().contiguous()
assert not [name for name in sys.modules if name.split(".")[0] in ("workers", "services", "tunesmith", "trl")]
save_file(logits, result)
"""


class Trained:
    """A finished job with what its model answered to a row just before it was stored."""

    def __init__(self, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
        self.logits = torch.empty(0)

        def look(model: Any, tokenizer: Any, *arguments: Any) -> None:
            model.eval()
            with torch.no_grad():
                self.logits = model(**tokenizer(ROW, return_tensors="pt")).logits.float()
            save_weights(model, tokenizer, *arguments)

        monkeypatch.setattr(attempts, "save_weights", look)
        self.sink: RecordingSink = job.run()
        (self.folder,) = (path for path in job.sink.artifacts_folder.iterdir() if path.name in ("adapter", "model"))

    @property
    def config(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "adapter_config.json").read_text()))

    @property
    def card(self) -> str:
        return (self.folder / "README.md").read_text()

    def loaded(self, base: Path, **arguments: Any) -> torch.Tensor:
        """What it answers on a base that nothing else was done to."""
        tokenizer = AutoTokenizer.from_pretrained(self.folder)
        model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, **arguments), str(self.folder))
        with torch.no_grad():
            logits: torch.Tensor = model(**tokenizer(ROW, return_tensors="pt")).logits
        return logits


@pytest.fixture
def trained(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Trained]:
    """A job of three quick steps, done."""

    def make(method: str, settings: dict[str, Any], **more: Any) -> Trained:
        quick = {"schedule": {"max_steps": 3}, "optimizer": RATE}
        return Trained(make_job("TEXT", {**quick, **settings}, method=method, **more), monkeypatch)

    return make


def prompt(**settings: Any) -> dict[str, Any]:
    return {"method": {"prompt_tuning_config": {"num_virtual_tokens": 4, **settings}}}


def lora(**settings: Any) -> dict[str, Any]:
    return {"method": {"lora_config": {"rank": 4, **settings}}}


def dtypes(folder: Path) -> dict[str, str]:
    with safe_open(folder / "adapter_model.safetensors", "pt") as weights:
        return {name: weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118 (not a mapping)


def assert_no_paths(folder: Path, *secrets: Path) -> None:
    for path in folder.iterdir():
        content = path.read_bytes()
        assert not [secret for secret in secrets if str(secret).encode() in content], path.name


@pytest.mark.parametrize("precision", [INT4, INT8, {**INT4, "double_quantization": False}])
def test_what_qlora_made_loads_onto_the_base_as_it_is(
    trained: Callable[..., Trained], tiny_base: Path, tmp_path: Path, precision: dict[str, Any]
) -> None:
    made = trained("QLORA", {"model": precision, **lora()})
    bits = 8 if precision is INT8 else 4
    assert f"held in {bits} bits while training" in made.card and "- qlora" in made.card
    assert set(dtypes(made.folder).values()) == {"BF16"}
    assert_no_paths(made.folder, tiny_base, tmp_path)
    assert "quantization" not in json.dumps(made.config)
    answered = made.loaded(tiny_base)
    # Rounding the base to so few bits is all that lies between the two.
    bare = AutoModelForCausalLM.from_pretrained(tiny_base)
    tokens = AutoTokenizer.from_pretrained(tiny_base)(ROW, return_tensors="pt")
    with torch.no_grad():
        untuned = bare(**tokens).logits
    assert (answered - made.logits).norm() < 0.35 * (untuned - made.logits).norm()


def test_what_is_too_small_for_16_bits_is_kept_in_32(trained: Callable[..., Trained]) -> None:
    kinds = dtypes(trained("QLORA", {"model": INT4, **lora(use_dora=True)}).folder)
    # The length of a weight, to which the optimiser adds very little.
    assert {kind for name, kind in kinds.items() if "magnitude" in name} == {"F32"}
    assert {kind for name, kind in kinds.items() if "magnitude" not in name} == {"BF16"}


def test_what_a_card_says_is_true_in_another_process(trained: Callable[..., Trained], tiny_base: Path, tmp_path: Path) -> None:
    yarn = {"model": {**FP32, "rope_scaling": {"type": "ROPE_TYPE_YARN", "factor": 4}}}
    all_made = {
        "QLoRA": trained("QLORA", {"model": INT4, **lora(use_dora=True, use_rslora=True)}),
        "a soft prompt": trained("PROMPT_TUNING", {"model": FP32, **prompt(initial_text="Copper turns green")}),
        "stretched": trained("LORA", {**yarn, **lora()}),
    }
    result = tmp_path / "logits.safetensors"
    arguments = [str(tiny_base), ROW, str(result), *(str(made.folder) for made in all_made.values())]
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOAD, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    logits = {name: load_file(result)[str(made.folder)] for name, made in all_made.items()}
    torch.testing.assert_close(logits["QLoRA"], all_made["QLoRA"].loaded(tiny_base))
    for name in ("a soft prompt", "stretched"):
        torch.testing.assert_close(logits[name], all_made[name].logits)
    config = all_made["a soft prompt"].config
    assert config["tokenizer_name_or_path"] == config["base_model_name_or_path"] == "tunesmith/tiny"


def test_how_scales_are_held_and_how_many_bits_there_are_changes_the_run(make_job: MakeJob) -> None:
    precisions = (INT4, {**INT4, "double_quantization": False}, INT8)
    losses = [tuple(make_job("TEXT", {"model": each, **lora()}, method="QLORA").run().losses()) for each in precisions]
    exact = tuple(make_job("TEXT", {"model": FP32, **lora()}, method="LORA").run().losses())
    assert len({*losses, exact}) == 4
    for each in losses:
        assert each == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize(
    ("option", "tag", "said"),
    [("use_dora", "- dora", "A DoRA adapter for"), ("use_rslora", "- rslora", "rank-stabilised scaling (rsLoRA)")],
)
def test_options_of_the_adapter_act_are_kept_and_are_named(
    trained: Callable[..., Trained], make_job: MakeJob, tiny_base: Path, option: str, tag: str, said: str
) -> None:
    made = trained("LORA", {"model": FP32, **lora(**{option: True})})
    plain = trained("LORA", {"model": FP32, **lora()})
    assert made.sink.losses()[1:] != plain.sink.losses()[1:]
    assert (made.config[option], plain.config[option]) == (True, False)
    assert tag in made.card and said in made.card and tag not in plain.card
    torch.testing.assert_close(made.loaded(tiny_base), made.logits)
    # The registry takes it as what it is.
    taken = read(made.config)
    sort(read_header(made.folder / "adapter_model.safetensors"), taken)
    assert taken.rank_stabilised == (option == "use_rslora")


SOFT: dict[str, tuple[str, dict[str, Any], tuple[int, int], str]] = {
    "prompt tuning": ("PROMPT_TUNING", prompt(), (4, 64), "- prompt-tuning"),
    "prompt tuning from a text": ("PROMPT_TUNING", prompt(initial_text="Copper turns green"), (4, 64), "- prompt-tuning"),
    "prefix tuning": ("PREFIX_TUNING", prompt(), (4, 2 * 2 * 64), "- prefix-tuning"),
    "prefix tuning with a network": ("PREFIX_TUNING", prompt(encoder_hidden_size=16), (4, 2 * 2 * 64), "- prefix-tuning"),
    "P-tuning": ("P_TUNING", prompt(), (4, 64), "- p-tuning"),
    "P-tuning with a narrow network": ("P_TUNING", prompt(encoder_hidden_size=16), (4, 64), "- p-tuning"),
}


@pytest.mark.parametrize("case", list(SOFT))
def test_a_soft_prompt_is_small_and_answers_as_in_training(
    case: str, trained: Callable[..., Trained], tiny_base: Path, tmp_path: Path
) -> None:
    method, settings, shape, tag = SOFT[case]
    made = trained(method, {"model": FP32, **settings})
    weights = load_file(made.folder / "adapter_model.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in weights.items()} == {"prompt_embeddings": shape}
    assert tag in made.card and "takes 4 positions of every sequence" in made.card
    assert_no_paths(made.folder, tiny_base, tmp_path)
    torch.testing.assert_close(made.loaded(tiny_base), made.logits)
    losses = made.sink.losses()
    assert losses[-1] != losses[0] and len(set(losses)) == 3
    # The registry takes it as what it is.
    taken = read(made.config)
    sort(read_header(made.folder / "adapter_model.safetensors"), taken)
    assert (taken.virtual_tokens, taken.prefix) == (4, method == "PREFIX_TUNING")


def test_a_soft_prompt_begins_with_its_text_or_with_tokens_of_the_seed(
    make_job: MakeJob, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins: list[torch.Tensor] = []

    def look(_: Attempt, trainer: Any, __: Any) -> None:
        begins.append(trainer.model.prompt_encoder["default"].embedding.weight.detach().clone())

    monkeypatch.setattr(Attempt, "train", look)

    def begin(seed: int = 7, **settings: Any) -> torch.Tensor:
        make_job("TEXT", {**prompt(**settings), "schedule": {"seed": seed}}, method="PROMPT_TUNING").run()
        return begins[-1]

    layer: Any = AutoModelForCausalLM.from_pretrained(tiny_base).get_input_embeddings()
    embeddings = layer.weight
    ids = AutoTokenizer.from_pretrained(tiny_base)("Copper turns green")["input_ids"]
    again = [ids[place % len(ids)] for place in range(20)]
    assert torch.equal(begin(initial_text="Copper turns green", num_virtual_tokens=20), embeddings[again])
    assert torch.equal(begin(initial_text="Copper turns green", num_virtual_tokens=2), embeddings[ids[:2]])
    drawn = begin()
    assert all(any(torch.equal(row, one) for one in embeddings) for row in drawn)
    assert torch.equal(drawn, begin()) and not torch.equal(drawn, begin(seed=8))


def test_a_wider_network_makes_another_prompt(make_job: MakeJob) -> None:
    for method in ("PREFIX_TUNING", "P_TUNING"):
        widths: tuple[dict[str, int], ...] = ({}, {"encoder_hidden_size": 16}, {"encoder_hidden_size": 24})
        losses = [tuple(make_job("TEXT", prompt(**width), method=method).run().losses()) for width in widths]
        assert len(set(losses)) == 3


@pytest.mark.parametrize("method", ["PROMPT_TUNING", "PREFIX_TUNING"])
def test_virtual_tokens_count_against_positions(make_job: MakeJob, short_base: Path, method: str) -> None:
    long = [{"text": "word " * 200}] * 2
    sink = make_job("TEXT", prompt(num_virtual_tokens=40), method=method, base=short_base, training=long).run()
    assert sink.warnings[0] == "The model has positions for 216 tokens of a row: rows end there, not at 472"
    assert "fill all 216 tokens" in sink.warnings[1]


@pytest.fixture
def short_base(tiny_base: Path, tmp_path: Path) -> Path:
    """The tiny model with positions for 256 tokens."""
    return with_config(tiny_base, tmp_path / "short-base", max_position_embeddings=256)


def with_config(base: Path, folder: Path, **changes: Any) -> Path:
    shutil.copytree(base, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    return folder


def stretched(kind: str, factor: float = 4) -> dict[str, Any]:
    return {"model": {**FP32, "rope_scaling": {"type": f"ROPE_TYPE_{kind}", "factor": factor}}}


ROPE = {
    "LINEAR": ({"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}, 1024),
    # Up to its own positions a dynamic one is what it was, so they stay what they are counted from.
    "DYNAMIC": ({"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0}, 256),
    "YARN": ({"rope_type": "yarn", "factor": 4.0, "rope_theta": 10000.0, "original_max_position_embeddings": 256}, 1024),
}
LONG = [{"text": "word " * 175}, {"text": "other " * 150}]


@pytest.mark.parametrize("kind", list(ROPE))
def test_a_model_that_was_stretched_says_so(trained: Callable[..., Trained], short_base: Path, kind: str) -> None:
    parameters, positions = ROPE[kind]
    long = {"schedule": {"max_steps": 2, "sequence_length": 1024}}
    made = trained("FULL", {**stretched(kind), **long}, base=short_base, training=LONG)
    # Rows of 700 tokens were cut to 256 without.
    assert not made.sink.warnings
    config = json.loads((made.folder / "config.json").read_text())
    assert (config["rope_parameters"], config["max_position_embeddings"]) == (parameters, positions)
    assert AutoTokenizer.from_pretrained(made.folder).model_max_length >= 1024
    model = AutoModelForCausalLM.from_pretrained(made.folder)
    with torch.no_grad():
        logits = model(**AutoTokenizer.from_pretrained(made.folder)(ROW, return_tensors="pt")).logits
    torch.testing.assert_close(logits, made.logits)


@pytest.mark.parametrize("kind", list(ROPE))
def test_an_adapter_says_how_its_base_was_stretched(trained: Callable[..., Trained], short_base: Path, kind: str) -> None:
    parameters, positions = ROPE[kind]
    made = trained("LORA", {**stretched(kind), **lora(), "schedule": {"max_steps": 2, "sequence_length": 1024}}, base=short_base)
    arguments = json.loads((made.folder / BASE_ARGUMENTS).read_text())
    assert arguments == {"rope_parameters": parameters, "max_position_embeddings": positions}
    assert "which the adapter does not carry" in made.card
    torch.testing.assert_close(made.loaded(short_base, **arguments), made.logits)
    if kind != "DYNAMIC":
        # Without them it answers something else.
        assert not torch.allclose(made.loaded(short_base), made.logits, atol=1e-4)
    plain = trained("LORA", {"model": FP32, **lora()}, base=short_base)
    assert not (plain.folder / BASE_ARGUMENTS).exists() and "does not carry" not in plain.card


def test_kind_and_factor_of_stretching_change_the_run(make_job: MakeJob, short_base: Path) -> None:
    def losses(settings: dict[str, Any]) -> tuple[float, ...]:
        long = {"schedule": {"max_steps": 2, "sequence_length": 1024}}
        return tuple(make_job("TEXT", {**settings, **long}, base=short_base, training=LONG).run().losses())

    kinds = [stretched("LINEAR"), stretched("YARN"), stretched("DYNAMIC"), stretched("LINEAR", 2), stretched("YARN", 2), {}]
    assert len({losses(each) for each in kinds}) == 6


def test_positions_that_are_stretched_already_are_refused(make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    base = with_config(tiny_base, tmp_path / "base", rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4})
    with pytest.raises(InvalidArgument, match=r"stretched already \(linear, 2 times\)") as refusal:
        make_job("TEXT", stretched("YARN"), base=base).run()
    assert refusal.value.violations[0][0] == "model.rope_scaling"
    assert "remove model.rope_scaling" in str(refusal.value)


def test_positions_that_are_learnt_can_not_be_stretched(make_job: MakeJob, tiny_base: Path, tmp_path: Path) -> None:
    base = tmp_path / "gpt2"
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    tokenizer.save_pretrained(base)
    GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2)).save_pretrained(base)
    with pytest.raises(InvalidArgument, match="gpt2 has no rotary positions"):
        make_job("TEXT", stretched("LINEAR"), base=base).run()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU scales losses")
def test_fp16_is_refused_on_a_cpu_before_anything_is_loaded(make_job: MakeJob, tmp_path: Path) -> None:
    for method in ("LORA", "FULL"):
        with pytest.raises(InvalidArgument, match="FP16 scales its loss on a GPU only") as refusal:
            make_job("TEXT", {"model": {"precision": "MODEL_PRECISION_FP16"}}, method=method, base=tmp_path / "nowhere").run()
        assert refusal.value.violations[0][0] == "model.precision"
