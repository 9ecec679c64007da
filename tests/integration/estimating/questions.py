"""Models and questions that several tests ask about."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.json_format import ParseDict
from tunesmith.config.v1 import job_configuration_pb2
from tunesmith.pool.v1 import pool_pb2
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.worker.v1 import inquiry_pb2

from services.chassis.knobs import resolve_defaults

CPU, CUDA = pool_pb2.DEVICE_KIND_CPU, pool_pb2.DEVICE_KIND_CUDA
# As published: meta-llama/Llama-3.2-3B and -3.1-70B.
LLAMA_3B: dict[str, Any] = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 128256, "hidden_size": 3072,
    "intermediate_size": 8192, "num_hidden_layers": 28, "num_attention_heads": 24, "num_key_value_heads": 8, "head_dim": 128,
    "tie_word_embeddings": True, "max_position_embeddings": 131072,
}  # fmt: skip
LLAMA_70B: dict[str, Any] = LLAMA_3B | {
    "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64,
    "tie_word_embeddings": False,
}  # fmt: skip
_SMALL = {"vocab_size": 500, "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2}
_TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SMALL_LLAMA: dict[str, Any] = {"model_type": "llama", **_SMALL, **_TOKENS, "num_hidden_layers": 5, "tie_word_embeddings": True}
# Its layers are of two kinds, of which the second stands at every sixth place only.
SMALL_GEMMA: dict[str, Any] = {
    "model_type": "gemma3_text", **_SMALL, **_TOKENS, "num_hidden_layers": 13, "head_dim": 16, "sliding_window": 8,
}  # fmt: skip


def question(
    configuration: Mapping[str, Any],
    *,
    method: str = "LORA",
    modules: str = "q_proj,v_proj",
    rank: int = 32,
    dropout: float = 0.0,
    dora: bool = False,
    prompt: Mapping[str, Any] | None = None,
    batch: int = 4,
    tokens: int = 768,
    accumulation: int = 1,
    precision: str = "BF16",
    optimizations: Sequence[str] = (),
    all_logits: bool = False,
    device: pool_pb2.DeviceKind = CUDA,
    **model: Any,
) -> inquiry_pb2.TraceQuestion:
    """What a step of a configuration takes."""
    settings: dict[str, Any] = {
        "model": {"base_model": "model", "precision": f"MODEL_PRECISION_{precision}", **model},
        "datasets": {"training_file_id": "rows"},
        "method": {"type": f"TRAINING_METHOD_{method}"},
        "schedule": {"batch_size": batch, "gradient_accumulation": accumulation},
        "optimizations": {"enabled": [f"OPTIMIZATION_FEATURE_{name}" for name in optimizations]},
    }
    if method in ("LORA", "QLORA"):
        lora = {"rank": rank, "alpha": 2 * rank, "dropout": dropout, "trainable_modules": modules, "use_dora": dora}
        settings["method"]["lora_config"] = lora
    if method in ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING"):
        settings["method"]["prompt_tuning_config"] = prompt or {}
    resolved = job_configuration_pb2.JobConfiguration()
    ParseDict(settings, resolved)
    resolve_defaults(resolved)
    return inquiry_pb2.TraceQuestion(
        configuration_json=json.dumps(configuration),
        configuration=resolved,
        dataset_format=dataset_pb2.DATASET_FORMAT_TEXT,
        row_tokens=tokens,
        all_logits=all_logits,
        device_kind=device,
    )


def phase(trace: inquiry_pb2.Trace, name: str) -> inquiry_pb2.TracePhase:
    """One phase of a trace."""
    return next(phase for phase in trace.phases if phase.name == name)


def total(phase: inquiry_pb2.TracePhase) -> int:
    """All bytes of a phase."""
    return sum(value for field, value in phase.ListFields() if field.name != "name")


def peak(trace: inquiry_pb2.Trace) -> int:
    """The most that the step holds."""
    return max(total(phase) for phase in trace.phases)
