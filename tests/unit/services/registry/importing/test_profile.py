"""What a model's files say about it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tunesmith.registry.v1 import base_model_pb2

from services.registry.importing.architecture import architecture
from services.registry.importing.linear_modules import linear_modules
from services.registry.importing.profile import profile
from services.registry.importing.refused import Refused
from services.registry.importing.safetensors_header import Tensor
from tests.unit.services.registry.models import (
    HIDDEN,
    LLAMA,
    LLAMA_MODULES,
    LLAMA_PARAMETERS,
    TEMPLATE,
    VOCABULARY,
    llama_tensors,
    write_model,
    write_shards,
)


@pytest.mark.parametrize("write", [write_model, write_shards])
def test_a_llama(tmp_path: Path, write: Any) -> None:
    model = profile(write(tmp_path))
    assert model == base_model_pb2.BaseModel(
        family="llama",
        parameter_count=LLAMA_PARAMETERS,
        dtype="F32",
        architecture=base_model_pb2.ArchitectureShape(
            hidden_size=8,
            intermediate_size=16,
            layer_count=2,
            attention_head_count=2,
            key_value_head_count=1,
            vocabulary_size=32,
            max_position_count=128,
            tied_embeddings=False,
        ),
        modality=base_model_pb2.MODALITY_TEXT,
        trainable=True,
        servable=True,
        tokenizer="LlamaTokenizerFast",
        chat_template=TEMPLATE,
        has_chat_template=True,
        configuration_json=(tmp_path / "config.json").read_text(),
        linear_modules=LLAMA_MODULES,
    )


def test_gpt2_as_the_hub_has_it(tmp_path: Path) -> None:
    config = {"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 16, "vocab_size": 32, "n_inner": None}
    shapes = {"wte.weight": (32, 8), "wpe.weight": (16, 8), "ln_f.weight": (8,)}
    shapes |= {"h.0.attn.c_attn.weight": (8, 24), "h.0.attn.c_attn.bias": (24,), "h.0.attn.c_proj.weight": (8, 8)}
    shapes |= {"h.0.mlp.c_fc.weight": (8, 32), "h.0.mlp.c_proj.weight": (32, 8)}
    parameters = sum(int(np.prod(shape)) for shape in shapes.values())
    # The hub's file also holds what is no parameter.
    buffers = {"h.0.attn.bias": (1, 1, 16, 16), "h.0.attn.masked_bias": ()}
    tensors = {name: np.ones(shape, np.float32) for name, shape in {**shapes, **buffers}.items()}
    model = profile(write_model(tmp_path, config=config, tensors=tensors))
    assert model.parameter_count == parameters
    assert list(model.linear_modules) == ["c_attn", "c_fc", "c_proj"]
    shape = model.architecture
    assert (shape.hidden_size, shape.intermediate_size, shape.layer_count, shape.max_position_count) == (8, 32, 1, 16)
    assert not shape.HasField("key_value_head_count")


def test_a_tied_output_layer_that_was_stored_all_the_same_counts_once(tmp_path: Path) -> None:
    model = profile(write_model(tmp_path, config={**LLAMA, "tie_word_embeddings": True}))
    assert model.parameter_count == LLAMA_PARAMETERS - VOCABULARY * HIDDEN


def test_the_dtype_is_that_of_most_parameters(tmp_path: Path) -> None:
    tensors = {name: array.astype(np.float16) if array.ndim == 2 else array for name, array in llama_tensors().items()}
    assert profile(write_model(tmp_path, tensors=tensors)).dtype == "F16"


def test_a_quantized_model_is_served_and_not_trained(tmp_path: Path) -> None:
    model = profile(write_model(tmp_path, config={**LLAMA, "quantization_config": {"quant_method": "bitsandbytes"}}))
    assert (model.quantized, model.trainable, model.servable) == (True, False, True)
    assert not model.HasField("parameter_count")


def test_a_model_without_a_tokenizer_is_not_trained(tmp_path: Path) -> None:
    model = profile(write_model(tmp_path, tokenizer=None))
    assert (model.tokenizer, model.chat_template, model.trainable, model.servable) == ("", "", False, False)


def test_vision_models_are_told_apart(tmp_path: Path) -> None:
    both = {**LLAMA, "hidden_size": 1, "text_config": LLAMA, "vision_config": {}}
    model = profile(write_model(tmp_path / "both", config=both))
    assert (model.modality, model.architecture.hidden_size) == (base_model_pb2.MODALITY_VISION_TEXT, 8)
    config = {**LLAMA, "architectures": ["ViTForImageClassification"]}
    model = profile(write_model(tmp_path / "sees", config=config, tokenizer=None))
    assert (model.modality, model.trainable) == (base_model_pb2.MODALITY_VISION, True)
    body = {"model_type": "vit", "architectures": ["ViTModel"], "hidden_size": 8, "image_size": 224, "patch_size": 16}
    model = profile(write_model(tmp_path / "body", config=body, tokenizer=None))
    assert (model.modality, model.trainable) == (base_model_pb2.MODALITY_VISION, True)
    assert (model.architecture.image_size, model.architecture.patch_size) == (224, 16)


TEMPLATES = {
    "none": ({}, None, ""),
    "in the configuration": ({"chat_template": "a"}, None, "a"),
    "several": ({"chat_template": [{"name": "tools", "template": "t"}, {"name": "default", "template": "d"}]}, None, "d"),
    "several without a default": ({"chat_template": [{"name": "tools", "template": "t"}, 7]}, None, ""),
    "a file before the configuration": ({"chat_template": "a"}, "b", "b"),
}


@pytest.mark.parametrize("case", TEMPLATES)
def test_the_chat_template_is_found_where_transformers_finds_it(tmp_path: Path, case: str) -> None:
    tokenizer, file, expected = TEMPLATES[case]
    folder = write_model(tmp_path, tokenizer=tokenizer)
    if file is not None:
        (folder / "chat_template.jinja").write_text(file)
    model = profile(folder)
    assert (model.chat_template, model.tokenizer) == (expected, "PreTrainedTokenizerFast")


def test_a_template_of_megabytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="chat template is longer"):
        profile(write_model(tmp_path, tokenizer={"chat_template": "a" * 300_000}))


@pytest.mark.parametrize("family", [None, "", "Llama", "../llama", "llama\n", 7])
def test_a_family_that_is_none_is_refused(tmp_path: Path, family: object) -> None:
    with pytest.raises(Refused, match="no model_type"):
        profile(write_model(tmp_path, config={**LLAMA, "model_type": family}))


def test_an_index_that_disagrees_with_its_files_is_refused(tmp_path: Path) -> None:
    folder = write_shards(tmp_path)
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    swapped = {"model-00001-of-00002.safetensors": "model-00002-of-00002.safetensors"}
    lm_head = content["weight_map"]["lm_head.weight"]
    content["weight_map"]["lm_head.weight"] = swapped.get(lm_head, "model-00001-of-00002.safetensors")
    index.write_text(json.dumps(content))
    with pytest.raises(Refused, match=r"disagree about lm_head\.weight"):
        profile(folder)


def test_sizes_that_are_none_are_left_out() -> None:
    shape = architecture({"model_type": "x", "hidden_size": True, "num_hidden_layers": -1, "vocab_size": 2**40, "n_head": "12"})
    assert shape == base_model_pb2.ArchitectureShape()
    assert architecture({"model_type": "gpt2", "n_embd": 8, "n_inner": 20}).intermediate_size == 20


NOT_LINEAR = {
    "an embedding": Tensor("model.embed_tokens.weight", "F32", (32, 8)),
    "positions": Tensor("transformer.wpe.weight", "F32", (16, 8)),
    "a head": Tensor("lm_head.weight", "F32", (32, 8)),
    "a head by another name": Tensor("output_layer.weight", "F32", (32, 8)),
    "a norm": Tensor("model.layers.0.norm.weight", "F32", (8,)),
    "a convolution": Tensor("model.layers.0.conv1d.weight", "F32", (8, 1, 4)),
    "an expert": Tensor("model.layers.0.mlp.experts.3.up_proj.weight", "F32", (16, 8)),
    "a router": Tensor("model.layers.0.mlp.gate.weight", "F32", (4, 8)),
    "a bias": Tensor("model.layers.0.relative_attention_bias.weight", "F32", (32, 2)),
    "no weight": Tensor("model.layers.0.A_log", "F32", (8, 4)),
}


@pytest.mark.parametrize("case", NOT_LINEAR)
def test_what_no_adapter_fits_is_left_out(case: str) -> None:
    linear = Tensor("model.layers.0.q_proj.weight", "F32", (32, 8))
    assert linear_modules([NOT_LINEAR[case], linear], vocabulary_size=32) == ["q_proj"]
