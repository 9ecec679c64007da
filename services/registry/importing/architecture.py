"""A model's sizes out of its configuration, whose families call them by different names."""

from collections.abc import Mapping, Sequence
from typing import Any

from tunesmith.registry.v1 import base_model_pb2

_NAMES: Mapping[str, Sequence[str]] = {
    "hidden_size": ("hidden_size", "n_embd", "d_model", "dim"),
    "intermediate_size": ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_ff", "encoder_ffn_dim"),
    "layer_count": ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers"),
    "attention_head_count": ("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads"),
    "key_value_head_count": ("num_key_value_heads", "num_kv_heads", "n_head_kv"),
    "vocabulary_size": ("vocab_size",),
    "max_position_count": ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_sequence_length", "seq_length"),
}
# Families whose feed-forward layer is four times as wide as the model where the configuration leaves it out.
_FOURFOLD_FAMILIES = ("gpt2", "gptj", "gpt_neo", "gpt_bigcode", "codegen", "bloom")
_FOURFOLD_NAMES = ("n_inner", "intermediate_size")
_MAX_INT32 = 2**31 - 1


def architecture(config: Mapping[str, Any]) -> base_model_pb2.ArchitectureShape:
    """The sizes of a configuration; those of the part that reads text, where there are several."""
    text = text_part(config)
    shape = base_model_pb2.ArchitectureShape()
    for field, names in _NAMES.items():
        size = next((text[name] for name in names if _is_size(text.get(name))), None)
        if size is not None:
            setattr(shape, field, size)
    fourfold = config.get("model_type") in _FOURFOLD_FAMILIES and not any(text.get(name) for name in _FOURFOLD_NAMES)
    if fourfold and shape.HasField("hidden_size"):
        shape.intermediate_size = 4 * shape.hidden_size
    return shape


def text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of the language model inside a model that also sees."""
    inner = config.get("text_config")
    return inner if isinstance(inner, dict) else config


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 < value <= _MAX_INT32
