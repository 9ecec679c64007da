"""Models as the registry knows them, and workloads on them."""

import json
from functools import cache
from typing import Any

from google.protobuf.json_format import ParseDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.pool.v1 import pool_pb2
from tunesmith.registry.v1 import base_model_pb2

from services.chassis.knobs import resolve_defaults
from services.preflight.estimate.workload import Workload
from workers.estimating.profile import profile
from workers.providers.execution import Execution, plain_loop
from workers.providers.local.execution import execution

CUDA, CPU = pool_pb2.DEVICE_KIND_CUDA, pool_pb2.DEVICE_KIND_CPU
_TEXT: dict[str, Any] = {"hidden_act": "silu", "max_position_embeddings": 8192, "tie_word_embeddings": False}

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    # As published; its weights have 3,212,749,824 parameters.
    "Llama-3.2-3B": {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 128256,
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 28,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "hidden_act": "silu",
        "max_position_embeddings": 131072,
        "tie_word_embeddings": True,
    },
    "llama": {
        **_TEXT,
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 32000,
        "hidden_size": 1024,
        "intermediate_size": 2816,
        "num_hidden_layers": 8,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
    },
    "qwen3": {
        **_TEXT,
        "model_type": "qwen3",
        "architectures": ["Qwen3ForCausalLM"],
        "vocab_size": 32000,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 8,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "tie_word_embeddings": True,
    },
    "gemma3": {
        "model_type": "gemma3_text",
        "architectures": ["Gemma3ForCausalLM"],
        "vocab_size": 64000,
        "hidden_size": 640,
        "intermediate_size": 2048,
        "num_hidden_layers": 8,
        "num_attention_heads": 4,
        "num_key_value_heads": 1,
        "head_dim": 256,
        "max_position_embeddings": 8192,
        "sliding_window": 512,
        "tie_word_embeddings": True,
    },
    "gpt2": {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": 50257,
        "n_embd": 768,
        "n_layer": 12,
        "n_head": 12,
        "n_positions": 2048,
        "activation_function": "gelu_new",
        "attn_pdrop": 0.1,
        "resid_pdrop": 0.1,
        "embd_pdrop": 0.1,
    },
    "phi": {
        **_TEXT,
        "model_type": "phi",
        "architectures": ["PhiForCausalLM"],
        "vocab_size": 51200,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 8,
        "num_attention_heads": 16,
        "hidden_act": "gelu_new",
    },
    "vit": {
        "model_type": "vit",
        "architectures": ["ViTForImageClassification"],
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "hidden_act": "gelu",
        "image_size": 224,
        "patch_size": 16,
    },
}
_NAMES = {
    "hidden_size": ("hidden_size", "n_embd"),
    "intermediate_size": ("intermediate_size", "n_inner"),
    "layer_count": ("num_hidden_layers", "n_layer"),
    "attention_head_count": ("num_attention_heads", "n_head"),
    "key_value_head_count": ("num_key_value_heads", "num_attention_heads", "n_head"),
    "vocabulary_size": ("vocab_size",),
    "head_size": ("head_dim",),
    "image_size": ("image_size",),
    "patch_size": ("patch_size",),
    "tied_embeddings": ("tie_word_embeddings",),
}


@cache
def base_model(name: str, *, profiled: bool = True) -> base_model_pb2.BaseModel:
    """One of the models, with its profile or with its sizes alone."""
    settings = CONFIGURATIONS[name]
    text = json.dumps(settings)
    made = base_model_pb2.BaseModel(family=settings["model_type"], configuration_json=text)
    made.modality = base_model_pb2.MODALITY_VISION if name == "vit" else base_model_pb2.MODALITY_TEXT
    for field, keys in _NAMES.items():
        value = next((settings[key] for key in keys if settings.get(key)), None)
        if value is not None:
            setattr(made.architecture, field, value)
    if profiled:
        made.profile.CopyFrom(profile(text))
    return made


def configuration(
    method: str = "LORA",
    precision: str = "BF16",
    *features: str,
    lora: dict[str, Any] | None = None,
    masters: bool | None = None,
    model: dict[str, Any] | None = None,
    over: dict[str, Any] | None = None,
    **schedule: Any,
) -> JobConfiguration:
    """With defaults resolved. Rows are padded to the longest of their batch."""
    enabled = [f"OPTIMIZATION_FEATURE_{name}" for name in ("DYNAMIC_PADDING", *features)]
    made: dict[str, Any] = {
        "model": {"base_model": "m", "precision": f"MODEL_PRECISION_{precision}", **(model or {})},
        "datasets": {"training_file_id": "rows"},
        "method": {"type": f"TRAINING_METHOD_{method}"},
        "schedule": {"batch_size": 4, "sequence_length": 1024, **schedule},
        "optimizations": {"enabled": enabled},
        **(over or {}),
    }
    if masters is not None:
        made["model"]["master_weights"] = masters
    if method in ("LORA", "QLORA"):
        made["method"]["lora_config"] = lora or {"rank": 16}
    if method == "PROMPT_TUNING":
        made["method"]["prompt_tuning_config"] = {"num_virtual_tokens": 20}
    resolved = ParseDict(made, JobConfiguration())
    resolve_defaults(resolved)
    return resolved


def workload(
    name: str,
    resolved: JobConfiguration,
    *,
    all_logits: bool = True,
    kind: pool_pb2.DeviceKind = CUDA,
    row_tokens: int = 1024,
    mean_tokens: float = 0.0,
    count: int = 1,
    memory_bytes: int = 0,
    profiled: bool = True,
    run: Execution | None = None,
) -> Workload:
    """A run of a configuration on one of the models."""
    device = pool_pb2.Device(kind=kind, name="a device", memory_bytes=memory_bytes)
    how = run or (plain_loop(resolved) if all_logits else execution(resolved))
    model = base_model(name, profiled=profiled)
    return Workload(model, resolved, how, None, row_tokens, mean_tokens or float(row_tokens), device, count)
