"""Small models on disk, written as save_pretrained writes them, without torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

HIDDEN, INTERMEDIATE, VOCABULARY = 8, 16, 32

LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": HIDDEN,
    "intermediate_size": INTERMEDIATE,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 128,
    "tie_word_embeddings": False,
}
TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"
TOKENIZER = {"tokenizer_class": "LlamaTokenizerFast", "chat_template": TEMPLATE}


def llama_tensors() -> dict[str, np.ndarray]:
    shapes: dict[str, tuple[int, ...]] = {f"{name}.weight": (VOCABULARY, HIDDEN) for name in ("model.embed_tokens", "lm_head")}
    shapes["model.norm.weight"] = (HIDDEN,)
    for layer in range(2):
        begin = f"model.layers.{layer}"
        shapes |= {f"{begin}.self_attn.{name}_proj.weight": (HIDDEN, HIDDEN) for name in "qo"}
        shapes |= {f"{begin}.self_attn.{name}_proj.weight": (HIDDEN // 2, HIDDEN) for name in "kv"}
        shapes |= {f"{begin}.mlp.{name}_proj.weight": (INTERMEDIATE, HIDDEN) for name in ("gate", "up")}
        shapes |= {f"{begin}.mlp.down_proj.weight": (HIDDEN, INTERMEDIATE), f"{begin}.input_layernorm.weight": (HIDDEN,)}
    return {name: np.ones(shape, np.float32) for name, shape in shapes.items()}


LLAMA_PARAMETERS = 2 * VOCABULARY * HIDDEN + HIDDEN + 2 * (3 * HIDDEN * HIDDEN + 3 * HIDDEN * INTERMEDIATE + HIDDEN)
LLAMA_MODULES = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]


def write_model(
    folder: Path,
    *,
    config: Mapping[str, Any] = LLAMA,
    tensors: Mapping[str, np.ndarray] | None = None,
    tokenizer: Mapping[str, Any] | None = TOKENIZER,
) -> Path:
    """A model in one file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(save(dict(llama_tensors() if tensors is None else tensors)))
    if tokenizer is not None:
        (folder / "tokenizer.json").write_text("{}")
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    return folder


def write_shards(folder: Path) -> Path:
    """The same model in two files with an index."""
    write_model(folder)
    (folder / "model.safetensors").unlink()
    tensors = llama_tensors()
    names = sorted(tensors)
    weight_map = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-0000{number}-of-00002.safetensors"
        (folder / file).write_bytes(save({name: tensors[name] for name in part}))
        weight_map |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder
