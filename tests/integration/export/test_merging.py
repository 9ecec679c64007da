"""A merged model computes what base and adapter compute together, and loads anywhere."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from safetensors import safe_open
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)
from tunesmith.job.v1 import artifact_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import FailedPrecondition, ResourceExhausted
from tests.integration.export.conftest import MakeExport
from tests.integration.export.models import CONFIGURATIONS, byte_level, write_adapter, write_base
from tests.integration.training.conftest import CHAT_TEMPLATE

pytestmark = pytest.mark.integration
TOKENS = torch.arange(3, 43).reshape(2, 20)


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(TOKENS).logits.float()


def beside(base: Path, adapter: Path) -> torch.Tensor:
    """What base and adapter compute while they are two."""
    return logits(PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter)))


def names_in(folder: Path) -> set[str]:
    with safe_open(folder / "model.safetensors", "pt") as file:
        return set(file.keys())


def dtypes_in(folder: Path) -> set[str]:
    with safe_open(folder / "model.safetensors", "pt") as file:
        return {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 - no mapping


VARIANTS: dict[str, dict[str, Any]] = {
    "lora": {},
    "rsLoRA": {"use_rslora": True},
    "DoRA": {"use_dora": True},
    "two modules, other ranks": {"target_modules": ["q_proj", "down_proj"], "rank_pattern": {"q_proj": 2}},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_merged_is_what_base_and_adapter_compute(make_export: MakeExport, llama: Path, tmp_path: Path, variant: str) -> None:
    adapter = write_adapter(tmp_path / "adapter", llama, **VARIANTS[variant])
    folder = make_export("MERGED", adapter, llama).run()
    merged = logits(AutoModelForCausalLM.from_pretrained(folder))
    assert torch.allclose(merged, beside(llama, adapter), atol=1e-4)
    assert not torch.allclose(merged, logits(AutoModelForCausalLM.from_pretrained(llama)), atol=0.1)


def test_all_that_a_model_needs_comes_with_it(make_export: MakeExport, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base", CONFIGURATIONS["llama"](), byte_level())
    GenerationConfig(eos_token_id=1, temperature=0.7, do_sample=True).save_pretrained(base)
    adapter = write_adapter(tmp_path / "adapter", base)
    export = make_export("MERGED", adapter, base)
    folder = export.run()
    assert export.sink.sets == {"model": (artifact_pb2.ARTIFACT_KIND_MODEL, 5)}
    assert export.sink.stages == ["Loading tiny", "Merging", "Writing the model", "Storing the result"]
    done = [step for step, _, _, _ in export.sink.steps]
    assert done == sorted(done) and len(set(done)) > 10
    # Tied weights stay one.
    assert "lm_head.weight" not in names_in(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.generation_config.temperature == 0.7
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template == CHAT_TEMPLATE
    assert tokenizer("She wrote.")["input_ids"] == AutoTokenizer.from_pretrained(base)("She wrote.")["input_ids"]
    card = (folder / "README.md").read_text()
    for expected in ("base_model: me/tiny", "license: apache-2.0", "from 3 to 1", "my / job, `job-1`", "AutoModelForCausalLM"):
        assert expected in card
    assert str(tmp_path) not in "".join(path.read_text() for path in folder.glob("*.json"))


def test_the_precision_is_the_base_s(make_export: MakeExport, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base", CONFIGURATIONS["qwen3"](), byte_level(), torch.bfloat16)
    adapter = write_adapter(tmp_path / "adapter", base)
    folder = make_export("MERGED", adapter, base).run()
    assert dtypes_in(folder) == {"BF16"}
    assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"
    merged = logits(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32))
    full = beside(base, adapter)
    assert (merged - full).abs().mean() < 0.05 * full.abs().mean()


def test_embeddings_that_the_adapter_changed_are_tied_no_longer(make_export: MakeExport, llama: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", llama, target_modules=["embed_tokens", "q_proj"])
    folder = make_export("MERGED", adapter, llama).run()
    assert torch.allclose(logits(AutoModelForCausalLM.from_pretrained(folder)), beside(llama, adapter), atol=1e-4)
    assert "lm_head.weight" in names_in(folder)
    assert json.loads((folder / "config.json").read_text())["tie_word_embeddings"] is False


def test_a_classifier_s_head_is_part_of_it(make_export: MakeExport, llama: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = AutoModelForSequenceClassification.from_pretrained(llama, num_labels=3)
    wanted = LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["q_proj"], modules_to_save=["score"])
    adapted = get_peft_model(model, wanted)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.1 * torch.randn_like(parameter))
    adapter = tmp_path / "adapter"
    adapted.save_pretrained(str(adapter))
    byte_level().save_pretrained(adapter)
    folder = make_export("MERGED", adapter, llama).run()
    merged = AutoModelForSequenceClassification.from_pretrained(folder)
    assert merged.num_labels == 3
    assert torch.allclose(logits(merged), logits(adapted), atol=1e-4)
    assert "AutoModelForSequenceClassification" in (folder / "README.md").read_text()


def test_a_whole_model_needs_no_base(make_export: MakeExport, llama: Path) -> None:
    folder = make_export("MERGED", llama, None).run()
    assert torch.equal(logits(AutoModelForCausalLM.from_pretrained(folder)), logits(AutoModelForCausalLM.from_pretrained(llama)))


def test_a_soft_prompt_is_refused(make_export: MakeExport, llama: Path, tmp_path: Path) -> None:
    model = get_peft_model(
        LlamaForCausalLM.from_pretrained(llama), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    )
    model.save_pretrained(str(tmp_path / "adapter"))
    with pytest.raises(FailedPrecondition, match="PROMPT_TUNING is a soft prompt"):
        make_export("MERGED", tmp_path / "adapter", llama).run()


def test_a_quantized_base_is_refused(make_export: MakeExport, llama: Path, adapter: Path, tmp_path: Path) -> None:
    base = shutil.copytree(llama, tmp_path / "base")
    settings = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(settings | {"quantization_config": {"quant_method": "bitsandbytes"}}))
    with pytest.raises(FailedPrecondition, match="tiny is stored quantized"):
        make_export("MERGED", adapter, base).run()


def test_a_model_of_another_kind_is_refused(make_export: MakeExport, tmp_path: Path) -> None:
    LlamaConfig(architectures=["LlamaModel"]).save_pretrained(tmp_path / "model")
    with pytest.raises(FailedPrecondition, match="LlamaModel is no causal language model and no classifier"):
        make_export("MERGED", tmp_path / "model", None).run()


def test_too_little_memory_is_told_before_anything_is_loaded(make_export: MakeExport, adapter: Path, llama: Path) -> None:
    export = make_export("MERGED", adapter, llama)
    export.assignment.base_model.files.add(path="more.safetensors", size_bytes=2**50)
    with pytest.raises(ResourceExhausted, match=r"take 1048576\.0 GiB of memory"):
        export.run()
    assert export.sink.stages == []


@pytest.mark.parametrize("at", [0, 20])
def test_a_cancelled_export_stores_nothing(make_export: MakeExport, adapter: Path, llama: Path, at: int) -> None:
    directives = dict.fromkeys(range(at, 100), worker_service_pb2.DIRECTIVE_CANCEL)
    sink = make_export("MERGED", adapter, llama, directives=directives).stopped()
    assert sink.sets == {}
    assert ("Merging" in sink.stages) == (at > 0)
    assert "Writing the model" not in sink.stages


def test_a_base_whose_positions_were_stretched_stays_stretched(make_export: MakeExport, llama: Path, tmp_path: Path) -> None:
    stretched = {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}, "max_position_embeddings": 1024}
    adapter = write_adapter(tmp_path / "adapter", llama)
    (adapter / "base_model_arguments.json").write_text(json.dumps(stretched))
    folder = make_export("MERGED", adapter, llama).run()
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.config.max_position_embeddings == 1024
    base = AutoModelForCausalLM.from_pretrained(llama, **stretched)
    assert torch.allclose(logits(model), logits(PeftModel.from_pretrained(base, str(adapter))), atol=1e-4)
    assert not torch.allclose(logits(model), beside(llama, adapter), atol=1e-2)
    assert not (folder / "base_model_arguments.json").exists()


def test_a_classifier_of_images_is_merged(make_export: MakeExport, tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    base = tmp_path / "base"
    ViTForImageClassification(ViTConfig(image_size=16, patch_size=8, num_labels=2, **shape)).save_pretrained(base)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(base)
    names = {"id2label": {0: "a", 1: "b", 2: "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}
    model = ViTForImageClassification.from_pretrained(base, ignore_mismatched_sizes=True, **names)
    # As a job that classifies pictures saves it: peft has no name for that task.
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["classifier"]))
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    adapter = tmp_path / "adapter"
    adapted.save_pretrained(str(adapter))
    model.config.save_pretrained(adapter)
    folder = make_export("MERGED", adapter, base).run()
    merged = AutoModelForImageClassification.from_pretrained(folder)
    pixels = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.allclose(merged.eval()(pixels).logits, adapted.eval()(pixels).logits, atol=1e-4)
    assert merged.config.id2label == names["id2label"]
    assert (folder / "preprocessor_config.json").is_file()
    assert "AutoImageProcessor" in (folder / "README.md").read_text()
