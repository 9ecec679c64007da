"""A profile counts exactly what transformers builds and what peft adapts."""

import json
import re
import time
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tunesmith.registry.v1 import model_profile_pb2

from tests.integration.estimating.questions import LLAMA_3B, LLAMA_70B
from workers.estimating.all_linear import HEADS
from workers.estimating.configured import read_configuration
from workers.estimating.profile import profile
from workers.estimating.skeleton import build

pytestmark = pytest.mark.integration

MAX_SECONDS = 0.5
LLAMA_3B_PARAMETERS = 3_212_749_824
LLAMA_3B_LORA_PARAMETERS = 9_175_040
# Families, each with a configuration and the parameters that its authors publish, where they do.
FAMILIES: dict[str, tuple[dict[str, Any], int | None]] = {
    "llama": (LLAMA_3B, LLAMA_3B_PARAMETERS),
    "llama 70B": (LLAMA_70B, 70_553_706_496),
    "mistral": ({"model_type": "mistral", "architectures": ["MistralForCausalLM"]}, 7_241_732_096),
    "qwen2": ({"model_type": "qwen2", "vocab_size": 151936, "hidden_size": 896, "intermediate_size": 4864,
               "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2, "tie_word_embeddings": True},
              494_032_768),
    "qwen3": ({"model_type": "qwen3", "vocab_size": 151936, "hidden_size": 1024, "intermediate_size": 3072, "head_dim": 128,
               "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "tie_word_embeddings": True},
              596_049_920),
    "gemma3": ({"model_type": "gemma3_text", "vocab_size": 262144, "hidden_size": 1152, "intermediate_size": 6912,
                "num_hidden_layers": 26, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256}, 999_885_952),
    "phi": ({"model_type": "phi", "vocab_size": 51200, "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 32,
             "num_attention_heads": 32}, 2_779_683_840),
    "phi3": ({"model_type": "phi3"}, 3_821_079_552),
    "smollm3": ({"model_type": "smollm3"}, None),
    "gpt2": ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}, 124_439_808),
    "vit": ({"model_type": "vit", "architectures": ["ViTForImageClassification"]}, 85_800_194),
    "mixtral": ({"model_type": "mixtral"}, None),
    "no plain stack": ({"model_type": "swin", "architectures": ["SwinForImageClassification"]}, None),
    "an encoder that classifies": ({"model_type": "bert", "architectures": ["BertForSequenceClassification"]}, 109_483_778),
    "an encoder that writes nothing": ({"model_type": "distilbert", "architectures": ["DistilBertModel"]}, None),
    "a classifier": ({"model_type": "qwen2", "architectures": ["Qwen2ForSequenceClassification"], "num_hidden_layers": 2,
                      "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2}, None),
    "images and text": ({"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"]}, None),
}  # fmt: skip


def test_there_are_families() -> None:
    assert len(FAMILIES) == 17


@pytest.mark.parametrize("family", FAMILIES)
def test_counts_are_exact(family: str) -> None:
    configuration, published = FAMILIES[family]
    model = build(read_configuration(json.dumps(configuration)))
    expected = sum(parameter.numel() for parameter in set(model.parameters()))
    found = profile(json.dumps(configuration))
    assert min(_seconds_for(configuration) for _ in range(3)) < MAX_SECONDS
    assert found.parameter_count == expected == (published or expected)
    assert sum(module.parameter_count * module.count for module in found.modules) == expected
    assert found.model_class == type(model).__name__
    assert found.transformers_version and found.HasField("create_time")


@pytest.mark.parametrize("family", FAMILIES)
def test_all_linear_is_what_peft_adapts(family: str) -> None:
    configuration, _ = FAMILIES[family]
    found = profile(json.dumps(configuration))
    model = build(read_configuration(json.dumps(configuration)))
    with torch.device("meta"):
        adapted = get_peft_model(
            model,
            # Of a classifier, the head is trained whole.
            LoraConfig(target_modules="all-linear", r=4, exclude_modules=HEADS),
            low_cpu_mem_usage=True,
        )
    paths = {
        re.sub(r"\.\d+(?=\.)", ".*", name.removeprefix("base_model.model.").partition(".lora_A")[0].removesuffix(".base_layer"))
        for name, _ in adapted.named_parameters()
        if ".lora_A" in name
    }
    assert {module.path for module in found.modules if module.adapted_by_all_linear} == paths
    trained = sum(parameter.numel() for name, parameter in adapted.named_parameters() if ".lora_" in name)
    assert _lora_parameters(found, 4, lambda module: module.adapted_by_all_linear) == trained


def test_the_published_adapter_has_its_size() -> None:
    found = profile(json.dumps(LLAMA_3B))
    named = _lora_parameters(found, 32, lambda module: module.path.endswith((".q_proj", ".v_proj")))
    assert named == LLAMA_3B_LORA_PARAMETERS


def test_modules_have_kinds_sizes_and_places() -> None:
    modules = {module.path: module for module in profile(json.dumps({"model_type": "gpt2"})).modules}
    up, down = modules["transformer.h.*.mlp.c_fc"], modules["transformer.h.*.mlp.c_proj"]
    assert (up.kind, up.input_size, up.output_size, up.count) == (model_profile_pb2.MODULE_KIND_LINEAR, 768, 3072, 12)
    assert (down.input_size, down.output_size, down.parameter_count) == (3072, 768, 3072 * 768 + 768)
    embedding, norm, output = modules["transformer.wte"], modules["transformer.ln_f"], modules["lm_head"]
    assert (embedding.kind, embedding.adaptable) == (model_profile_pb2.MODULE_KIND_EMBEDDING, True)
    assert (norm.kind, norm.input_size, norm.adaptable) == (model_profile_pb2.MODULE_KIND_NORM, 768, False)
    # Tied to the embedding, which has its parameters.
    assert (output.parameter_count, output.adaptable, output.adapted_by_all_linear) == (0, False, False)


@pytest.mark.parametrize("family", ["vit", "an encoder that classifies", "a classifier"])
def test_a_head_of_labels_takes_no_adapter(family: str) -> None:
    modules = {module.path: module for module in profile(json.dumps(FAMILIES[family][0])).modules}
    head = modules["score" if family == "a classifier" else "classifier"]
    assert (head.kind, head.output_size) == (model_profile_pb2.MODULE_KIND_LINEAR, 2)
    assert not head.adaptable and not head.adapted_by_all_linear
    assert sum(module.adapted_by_all_linear for module in modules.values()) >= 6


def test_abilities_are_the_models_own() -> None:
    llama, bloom = profile(json.dumps({"model_type": "llama"})), profile(json.dumps({"model_type": "bloom"}))
    assert (llama.fused_attention, llama.gradient_checkpointing) == (True, True)
    # Its attention adds distances to the scores, so it has to make them.
    assert (bloom.fused_attention, bloom.gradient_checkpointing) == (False, True)


def _seconds_for(configuration: dict[str, Any]) -> float:
    """Of the processor: what else this machine does is nobody's fault."""
    began = time.process_time()
    profile(json.dumps(configuration))
    return time.process_time() - began


def _lora_parameters(found: model_profile_pb2.ModelProfile, rank: int, takes: Any) -> int:
    return sum(rank * (module.input_size + module.output_size) * module.count for module in found.modules if takes(module))
