"""The models that are measured: random weights, and a tokenizer that makes rows of a known length."""

import json
from pathlib import Path
from typing import Any

from tunesmith.registry.v1 import base_model_pb2

# Ten to sixty million parameters, small enough for a CPU and large enough that weights, states and activations all count.
CPU_SHAPES: dict[str, dict[str, Any]] = {
    "llama": {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 16384,
        "hidden_size": 512,
        "intermediate_size": 1408,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "max_position_embeddings": 2048,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
    },
    "gpt2": {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": 8192,
        "n_embd": 384,
        "n_layer": 6,
        "n_head": 6,
        "n_positions": 1024,
        "activation_function": "gelu_new",
        "attn_pdrop": 0.1,
        "resid_pdrop": 0.1,
        "embd_pdrop": 0.1,
    },
    "qwen3": {
        "model_type": "qwen3",
        "architectures": ["Qwen3ForCausalLM"],
        "vocab_size": 32768,
        "hidden_size": 384,
        "intermediate_size": 1152,
        "num_hidden_layers": 6,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "max_position_embeddings": 2048,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
    },
}
GPU_SHAPES: dict[str, dict[str, Any]] = {
    "SmolLM2-360M": {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 49152,
        "hidden_size": 960,
        "intermediate_size": 2560,
        "num_hidden_layers": 32,
        "num_attention_heads": 15,
        "num_key_value_heads": 5,
        "max_position_embeddings": 8192,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
    },
    "Qwen3-0.6B": {
        "model_type": "qwen3",
        "architectures": ["Qwen3ForCausalLM"],
        "vocab_size": 151936,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 40960,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
    },
    "Llama-3.2-1B": {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 128256,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "max_position_embeddings": 131072,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
    },
    "gpt2-medium": {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": 50257,
        "n_embd": 1024,
        "n_layer": 24,
        "n_head": 16,
        "n_positions": 1024,
        "activation_function": "gelu_new",
        "attn_pdrop": 0.1,
        "resid_pdrop": 0.1,
        "embd_pdrop": 0.1,
    },
    "gemma-3-1b": {
        "model_type": "gemma3_text",
        "architectures": ["Gemma3ForCausalLM"],
        "vocab_size": 262144,
        "hidden_size": 1152,
        "intermediate_size": 6912,
        "num_hidden_layers": 26,
        "num_attention_heads": 4,
        "num_key_value_heads": 1,
        "head_dim": 256,
        "max_position_embeddings": 32768,
        "sliding_window": 512,
        "tie_word_embeddings": True,
    },
}
_PAD, _END = "<pad>", "<eos>"
_NAMES = {
    "hidden_size": ("hidden_size", "n_embd"),
    "intermediate_size": ("intermediate_size", "n_inner"),
    "layer_count": ("num_hidden_layers", "n_layer"),
    "attention_head_count": ("num_attention_heads", "n_head"),
    "key_value_head_count": ("num_key_value_heads", "num_attention_heads", "n_head"),
    "vocabulary_size": ("vocab_size",),
    "head_size": ("head_dim",),
}


def base_model(shape: dict[str, Any]) -> base_model_pb2.BaseModel:
    """As the registry would know it, its profile included."""
    from workers.estimating.profile import profile

    text = json.dumps(shape)
    made = base_model_pb2.BaseModel(id="measured", display_name="measured", family=shape["model_type"], configuration_json=text)
    made.modality = base_model_pb2.MODALITY_TEXT
    for name, keys in _NAMES.items():
        value = next((shape[key] for key in keys if shape.get(key)), None)
        if value is not None:
            setattr(made.architecture, name, value)
    made.profile.CopyFrom(profile(text))
    return made


def write_model(shape: dict[str, Any], folder: Path) -> None:
    """Random weights in float32, and a tokenizer whose tokens are words: `w7 w12`."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate([_PAD, _END, *(f"w{n}" for n in range(shape["vocab_size"] - 2))])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=_PAD, eos_token=_END).save_pretrained(folder)
    settings = {key: value for key, value in shape.items() if key not in ("model_type", "architectures")}
    settings |= {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1}
    config = CONFIG_MAPPING[shape["model_type"]](**settings)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)


def write_rows(path: Path, lengths: list[int], vocabulary_size: int) -> None:
    """A text row for each length, which counts the end that trl adds."""
    words = vocabulary_size - 2
    rows = [[(row * 7919 + n * 31) % words for n in range(length - 1)] for row, length in enumerate(lengths)]
    texts = (" ".join(f"w{word}" for word in row) for row in rows)
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
