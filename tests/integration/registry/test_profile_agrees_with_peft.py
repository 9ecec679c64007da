"""What the registry reads from headers is what transformers builds and PEFT adapts."""

from pathlib import Path
from typing import Any

import pytest

from services.registry.importing.profile import profile

pytestmark = pytest.mark.integration

SIZES = {"vocab_size": 96, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
WIDE = {**SIZES, "intermediate_size": 128}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {**WIDE, "num_key_value_heads": 2, "tie_word_embeddings": True},
    "qwen3": {**WIDE, "num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": False},
    "gemma2": {**WIDE, "num_key_value_heads": 2, "head_dim": 16},
    "phi": WIDE,
    "gpt_neox": WIDE,
    "falcon": SIZES,
    "gpt2": {"vocab_size": 96, "n_embd": 64, "n_layer": 2, "n_head": 4},
    "bloom": {"vocab_size": 96, "hidden_size": 64, "n_layer": 2, "n_head": 4},
    "opt": {"vocab_size": 96, "hidden_size": 64, "ffn_dim": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
            "word_embed_proj_dim": 32},
}  # fmt: skip


def test_there_are_families() -> None:
    assert len(FAMILIES) == 9


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_and_linear_layers_agree(tmp_path: Path, family: str) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    # No special tokens: the small vocabulary has no room for a family's own.
    config = AutoConfig.for_model(family, bos_token_id=1, eos_token_id=2, pad_token_id=0, **FAMILIES[family])
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(tmp_path)
    found = profile(tmp_path)
    assert (found.family, found.dtype) == (family, "F32")
    assert found.parameter_count == sum(parameter.numel() for parameter in model.parameters())
    shape = found.architecture
    assert (shape.hidden_size, shape.layer_count, shape.attention_head_count, shape.vocabulary_size) == (64, 2, 4, 96)

    adapted = get_peft_model(model, LoraConfig(target_modules="all-linear", r=2))
    paths = [name.partition(".lora_A")[0] for name, _ in adapted.named_parameters() if ".lora_A" in name]
    assert list(found.linear_modules) == sorted({path.rpartition(".")[2] for path in paths})
