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
    "head_size": ("head_dim", "d_kv", "kv_channels"),
    "expert_count": ("num_local_experts", "num_experts", "n_routed_experts"),
    "active_expert_count": ("num_experts_per_tok", "num_experts_per_token", "moe_topk"),
    "sliding_window": ("sliding_window",),
}
# Of the part that sees.
_VISION_NAMES: Mapping[str, Sequence[str]] = {"image_size": ("image_size",), "patch_size": ("patch_size",)}
# Families whose feed-forward layer is four times as wide as the model where the configuration leaves it out.
_FOURFOLD_FAMILIES = ("gpt2", "gptj", "gpt_neo", "gpt_bigcode", "codegen", "bloom")
_FOURFOLD_NAMES = ("n_inner", "intermediate_size")
_MAX_INT32 = 2**31 - 1


def architecture(config: Mapping[str, Any]) -> base_model_pb2.ArchitectureShape:
    """The sizes of a configuration; those of the part that reads text, where there are several."""
    text = text_part(config)
    shape = base_model_pb2.ArchitectureShape()
    _take_sizes(shape, text, _NAMES)
    _take_sizes(shape, _vision_part(config), _VISION_NAMES)
    if text.get("use_sliding_window") is False:
        # Qwen's configurations name a window that they don't use.
        shape.ClearField("sliding_window")
    tied = tied_embeddings(config)
    if tied is not None:
        shape.tied_embeddings = tied
    fourfold = config.get("model_type") in _FOURFOLD_FAMILIES and not any(text.get(name) for name in _FOURFOLD_NAMES)
    if fourfold and shape.HasField("hidden_size"):
        shape.intermediate_size = 4 * shape.hidden_size
    return shape


def text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of the language model inside a model that also sees."""
    inner = config.get("text_config")
    return inner if isinstance(inner, dict) else config


def tied_embeddings(config: Mapping[str, Any]) -> bool | None:
    """Whether the output layer is the input embedding; None where the configuration does not say."""
    tied = text_part(config).get("tie_word_embeddings", config.get("tie_word_embeddings"))
    return tied if isinstance(tied, bool) else None


def _vision_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = config.get("vision_config")
    return inner if isinstance(inner, dict) else config


def _take_sizes(shape: base_model_pb2.ArchitectureShape, part: Mapping[str, Any], names: Mapping[str, Sequence[str]]) -> None:
    for field, candidates in names.items():
        size = next((part[name] for name in candidates if _is_size(part.get(name))), None)
        if size is not None:
            setattr(shape, field, size)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 < value <= _MAX_INT32
