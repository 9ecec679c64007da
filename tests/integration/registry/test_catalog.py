"""The catalogue's models, built from their configurations without weights, are those that were published."""

from typing import Any

import pytest

from services.registry.importing.architecture import architecture
from starter.catalog.base_models import entries

pytestmark = pytest.mark.integration

MODELS = entries()
BUILT = [entry for entry in MODELS if "auto_map" not in entry["configuration"]]
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
# Their files also hold what is no parameter of its own: the output layer beside the embedding that it is, GPT-2's masks.
STORED_TWICE = {"Qwen/Qwen3-0.6B", "Qwen/Qwen3-1.7B", "openai-community/gpt2", "openai-community/gpt2-medium"}


def test_all_but_the_one_with_code_of_its_own_are_built() -> None:
    assert (len(MODELS), len(BUILT)) == (34, 33)


@pytest.mark.parametrize("entry", BUILT, ids=lambda entry: entry["repo"])
def test_it_has_exactly_the_published_number_of_parameters(entry: dict[str, Any]) -> None:
    import torch
    import transformers

    configuration = entry["configuration"]
    config = transformers.AutoConfig.for_model(**configuration)
    with torch.device("meta"):
        model = getattr(transformers, configuration["architectures"][0])._from_config(config)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == entry["parameter_count"]

    stored = count * BYTES[configuration.get("torch_dtype", "float32")]
    larger = entry["download_bytes"] / stored
    assert (1 < larger < 1.3) if entry["repo"] in STORED_TWICE else larger == 1

    shape, text = architecture(configuration), config.get_text_config()
    assert (shape.hidden_size, shape.layer_count) == (text.hidden_size, text.num_hidden_layers)
    assert shape.attention_head_count == text.num_attention_heads
    if shape.HasField("tied_embeddings"):
        assert shape.tied_embeddings == text.tie_word_embeddings
    if shape.HasField("head_size"):
        assert shape.head_size == text.head_dim
