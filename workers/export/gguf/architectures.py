"""Which architectures llama.cpp computes as transformers does, and what it has to be told of each.

Names of tensors come from the gguf package. What stands here is what its writer leaves to the caller, after the converter that
llama.cpp publishes: rows of the rotated projections in another order for Llama, one added to Gemma's norms, GPT-2's transposed
matrices, and the numbers of the configuration.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from services.chassis.errors import FailedPrecondition

Array = NDArray[Any]
# Gemma 3 of this many layers scales its attention by another width; llama.cpp tells it by the count.
_GEMMA2_27B_LAYERS, _GEMMA3_27B_LAYERS = 46, 62
_GEMMA3_PATTERN = 6


@dataclass(frozen=True)
class Architecture:
    """How one of transformers' model types becomes a file."""

    arch: gguf.MODEL_ARCH
    # Numbers that only this one has.
    describe: Callable[[gguf.GGUFWriter, Any], None]
    # (name in the file, values, configuration) -> the values as llama.cpp wants them.
    convert: Callable[[str, Array, Any], Array]
    # Tensors that are computed from the configuration.
    computed: Callable[[Any], dict[str, Array]] = lambda _: {}


def refuse(what: str) -> FailedPrecondition:
    """A model of a known type that llama.cpp would compute otherwise than transformers."""
    return FailedPrecondition("GGUF_NOT_POSSIBLE", f"{what}; export it with format MERGED")


def head_size(config: Any) -> int:
    """The width of one attention head."""
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def rope(config: Any, kind: str = "full_attention") -> dict[str, Any]:
    """The parameters of the rotation, those of one kind of layer where kinds differ."""
    parameters: dict[str, Any] = config.rope_parameters or {}
    return parameters.get(kind, parameters) or {}


def permuted(weights: Array, head_count: int) -> Array:
    """Rows of a rotated projection: transformers turns halves of a head against each other, llama.cpp neighbours."""
    rows = weights.shape[0]
    grouped = weights.reshape(head_count, 2, rows // head_count // 2, *weights.shape[1:])
    return grouped.swapaxes(1, 2).reshape(weights.shape)


def _common(writer: gguf.GGUFWriter, config: Any) -> None:
    writer.add_context_length(context_length(config))
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_key_length(head_size(config))
    writer.add_value_length(head_size(config))
    writer.add_vocab_size(config.vocab_size)


def context_length(config: Any) -> int:
    """Positions that the file announces: where llama.cpp has no window, no more than the window, up to which both agree."""
    length = int(config.max_position_embeddings)
    window = _window(config)
    return length if window is None or config.model_type in ("gemma2", "gemma3_text", "phi3") else min(length, window)


def is_shortened(config: Any) -> bool:
    """Whether the file announces less than the model can, because llama.cpp has no window for its type."""
    return config.model_type != "gpt2" and context_length(config) < config.max_position_embeddings


def _window(config: Any) -> int | None:
    if "sliding_attention" not in (getattr(config, "layer_types", None) or ["sliding_attention"]):
        return None
    if getattr(config, "use_sliding_window", True) is False:
        return None
    return getattr(config, "sliding_window", None)


def _rotation(writer: gguf.GGUFWriter, config: Any) -> None:
    parameters = rope(config)
    dimensions = int(head_size(config) * parameters.get("partial_rotary_factor", 1.0))
    writer.add_rope_dimension_count(dimensions)
    writer.add_rope_freq_base(float(parameters.get("rope_theta", 10000.0)))
    kind = parameters.get("rope_type", "default")
    if kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(parameters["factor"]))
    elif kind == "yarn":
        _yarn(writer, config, parameters)
    elif kind not in ("default", "llama3", "longrope"):
        raise refuse(f"llama.cpp has no rotation of type {kind}")


def _yarn(writer: gguf.GGUFWriter, config: Any, parameters: dict[str, Any]) -> None:
    odd = sorted(name for name in ("mscale", "mscale_all_dim", "attention_factor") if parameters.get(name))
    if odd or parameters.get("truncate", True) is False:
        raise refuse(f"llama.cpp computes yarn without {', '.join(odd) or 'truncate: false'}")
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(float(parameters["factor"]))
    original = parameters.get("original_max_position_embeddings") or config.max_position_embeddings
    writer.add_rope_scaling_orig_ctx_len(int(original))
    writer.add_rope_scaling_yarn_beta_fast(float(parameters.get("beta_fast") or 32))
    writer.add_rope_scaling_yarn_beta_slow(float(parameters.get("beta_slow") or 1))


def llama3_factors(config: Any) -> dict[str, Array]:
    """What each frequency is divided by in Llama 3.1's rotation, as its authors published it."""
    parameters = rope(config)
    if parameters.get("rope_type") != "llama3":
        return {}
    factor, length = parameters["factor"], parameters["original_max_position_embeddings"]
    low, high = parameters["low_freq_factor"], parameters["high_freq_factor"]
    size = head_size(config)
    values = []
    for index in range(0, size, 2):
        wavelength = 2 * math.pi * parameters["rope_theta"] ** (index / size)
        if wavelength < length / high:
            values.append(1.0)
        elif wavelength > length / low:
            values.append(float(factor))
        else:
            smooth = (length / wavelength - low) / (high - low)
            values.append(1 / ((1 - smooth) / factor + smooth))
    return {"rope_freqs.weight": np.array(values, dtype=np.float32)}


def _llama(writer: gguf.GGUFWriter, config: Any) -> None:
    if rope(config).get("partial_rotary_factor", 1.0) != 1.0:
        raise refuse("llama.cpp rotates all of a head of this type")
    _common(writer, config)
    _rotation(writer, config)


def _llama_rows(name: str, values: Array, config: Any) -> Array:
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    count = next((count for part, count in heads.items() if f".{part}." in name), None)
    return values if count is None else permuted(values, count)


def _as_they_are(name: str, values: Array, config: Any) -> Array:
    return values


def _norms_plus_one(name: str, values: Array, config: Any) -> Array:
    """Gemma multiplies by one more than what it stores; llama.cpp by what is stored."""
    return values + np.float32(1) if name.endswith("norm.weight") else values


def _check_scale(config: Any, large: int) -> None:
    """llama.cpp takes the scale of Gemma's attention from the size of the model."""
    by_width = config.num_hidden_layers == large
    expected = config.hidden_size // config.num_attention_heads if by_width else head_size(config)
    if config.query_pre_attn_scalar != expected:
        scale = config.query_pre_attn_scalar
        raise refuse(f"query_pre_attn_scalar is {scale}, where llama.cpp takes {expected} for a model of this size")


def _gemma2(writer: gguf.GGUFWriter, config: Any) -> None:
    _check_scale(config, _GEMMA2_27B_LAYERS)
    _common(writer, config)
    _rotation(writer, config)
    writer.add_attn_logit_softcapping(float(config.attn_logit_softcapping or 0))
    writer.add_final_logit_softcapping(float(config.final_logit_softcapping or 0))
    writer.add_sliding_window(int(config.sliding_window))


def _gemma3(writer: gguf.GGUFWriter, config: Any) -> None:
    _check_scale(config, _GEMMA3_27B_LAYERS)
    full = [index for index, kind in enumerate(config.layer_types) if kind == "full_attention"]
    if full != [index for index in range(config.num_hidden_layers) if (index + 1) % _GEMMA3_PATTERN == 0]:
        raise refuse(f"in llama.cpp every {_GEMMA3_PATTERN}th layer of Gemma 3 has no window, and in this model others")
    if rope(config, "sliding_attention").get("rope_theta", 10000.0) != 10000.0:
        raise refuse("llama.cpp rotates the windows of Gemma 3 with base 10000")
    if config.attn_logit_softcapping:
        raise refuse("llama.cpp caps no attention of Gemma 3")
    _common(writer, config)
    _rotation(writer, config)
    writer.add_sliding_window(int(config.sliding_window))
    if config.final_logit_softcapping:
        writer.add_final_logit_softcapping(float(config.final_logit_softcapping))


def _phi3(writer: gguf.GGUFWriter, config: Any) -> None:
    _common(writer, config)
    _rotation(writer, config)
    parameters = rope(config)
    original = parameters.get("original_max_position_embeddings") or config.max_position_embeddings
    writer.add_rope_scaling_orig_ctx_len(int(original))
    writer.add_sliding_window(int(config.sliding_window or 0))
    scale = config.max_position_embeddings / original
    if parameters.get("rope_type") == "longrope" and scale > 1:
        attention = parameters.get("attention_factor") or math.sqrt(1 + math.log(scale) / math.log(original))
        writer.add_rope_scaling_attn_factors(float(attention))


def _phi3_factors(config: Any) -> dict[str, Array]:
    parameters = rope(config)
    if parameters.get("rope_type") != "longrope":
        return {}
    return {
        "rope_factors_long.weight": np.array(parameters["long_factor"], dtype=np.float32),
        "rope_factors_short.weight": np.array(parameters["short_factor"], dtype=np.float32),
    }


def _gpt2(writer: gguf.GGUFWriter, config: Any) -> None:
    if config.activation_function not in ("gelu_new", "gelu_pytorch_tanh") or not config.scale_attn_weights:
        raise refuse("llama.cpp computes GPT-2 with gelu_new and scaled attention")
    writer.add_context_length(config.n_positions)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(config.n_inner or 4 * config.n_embd)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    writer.add_vocab_size(config.vocab_size)


def _transposed(name: str, values: Array, config: Any) -> Array:
    """GPT-2's layers hold their matrices the other way round."""
    inner = any(f".{part}.weight" in name for part in ("attn_qkv", "attn_output", "ffn_up", "ffn_down"))
    return np.ascontiguousarray(values.T) if inner else values


ARCHITECTURES: dict[str, Architecture] = {
    "llama": Architecture(gguf.MODEL_ARCH.LLAMA, _llama, _llama_rows, llama3_factors),
    "mistral": Architecture(gguf.MODEL_ARCH.LLAMA, _llama, _llama_rows, llama3_factors),
    "qwen2": Architecture(gguf.MODEL_ARCH.QWEN2, _llama, _as_they_are),
    "qwen3": Architecture(gguf.MODEL_ARCH.QWEN3, _llama, _as_they_are),
    "gemma2": Architecture(gguf.MODEL_ARCH.GEMMA2, _gemma2, _norms_plus_one),
    "gemma3_text": Architecture(gguf.MODEL_ARCH.GEMMA3, _gemma3, _norms_plus_one),
    "phi3": Architecture(gguf.MODEL_ARCH.PHI3, _phi3, _as_they_are, _phi3_factors),
    "gpt2": Architecture(gguf.MODEL_ARCH.GPT2, _gpt2, _transposed),
}


def find(model_type: str) -> Architecture:
    """How a model type becomes a file. Raises FailedPrecondition that lists those that can."""
    architecture = ARCHITECTURES.get(model_type)
    if architecture is None:
        known = ", ".join(ARCHITECTURES)
        text = f"{model_type} models can't be exported as GGUF here; {known} can: export this one with format MERGED"
        raise FailedPrecondition("GGUF_ARCHITECTURE", text)
    return architecture
