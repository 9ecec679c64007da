"""What is measured: shapes of 5 to 60 million parameters, methods, precisions, batches.

The formulas were made with those that are seen; the unseen ones were drawn before, and never looked at.
"""

from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import ParseDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration

from services.chassis.knobs import resolve_defaults

_COMMON: dict[str, Any] = {"max_position_embeddings": 2048}


def _llama(width: int, ffn: int, layers: int, heads: int, vocabulary: int, key_heads: int = 0) -> dict[str, Any]:
    return {
        **_COMMON,
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": ffn,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads or heads,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
    }


def _qwen3(width: int, ffn: int, layers: int, heads: int, key_heads: int, vocabulary: int) -> dict[str, Any]:
    own = {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "head_dim": 64}
    return {**_llama(width, ffn, layers, heads, vocabulary, key_heads), **own}


def _gpt2(width: int, layers: int, heads: int, vocabulary: int) -> dict[str, Any]:
    return {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": vocabulary,
        "n_embd": width,
        "n_layer": layers,
        "n_head": heads,
        "n_positions": 2048,
        "activation_function": "gelu_new",
    }


SHAPES: dict[str, dict[str, Any]] = {
    "llama-5m": _llama(256, 768, 4, 4, 4096),
    "llama-30m": _llama(512, 1408, 8, 8, 8192),
    "llama-55m": _llama(640, 1792, 8, 10, 16384, 5),
    "gpt2-24m": _gpt2(512, 6, 8, 8192),
    "gpt2-10m": _gpt2(320, 6, 5, 8192),
    "qwen3-27m": _qwen3(512, 1536, 6, 8, 4, 16384),
    "qwen3-12m": _qwen3(320, 960, 6, 6, 2, 8192),
}


@dataclass(frozen=True)
class Case:
    """One configuration, measured over so many steps of full batches."""

    shape: str
    method: str
    precision: str
    batch_size: int
    row_tokens: int
    checkpointing: bool = False
    steps: int = 7

    @property
    def name(self) -> str:
        """For tables, and as the name of an arm."""
        checkpointing = "_checkpointing" if self.checkpointing else ""
        return f"{self.shape}_{self.method}_{self.precision}_{self.batch_size}x{self.row_tokens}{checkpointing}".lower()

    @property
    def row_count(self) -> int:
        """Rows of the dataset, all of one length."""
        return self.steps * self.batch_size

    def configuration(self) -> JobConfiguration:
        """With defaults resolved."""
        method: dict[str, Any] = {"type": f"TRAINING_METHOD_{self.method}"}
        if self.method == "LORA":
            method["lora_config"] = {"rank": 8}
        enabled = ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]
        enabled += ["OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING"] if self.checkpointing else []
        made = {
            "model": {"base_model": "measured", "precision": f"MODEL_PRECISION_{self.precision}"},
            "datasets": {"training_file_id": "rows"},
            "method": method,
            "schedule": {
                "max_steps": self.steps,
                "batch_size": self.batch_size,
                "sequence_length": max(512, self.row_tokens),
                "checkpoints": 0,
            },
            "optimizations": {"enabled": enabled},
        }
        resolved = ParseDict(made, JobConfiguration())
        resolve_defaults(resolved)
        return resolved


SEEN = (
    Case("llama-5m", "LORA", "FP32", 2, 128),
    Case("llama-5m", "FULL", "BF16", 8, 512),
    Case("llama-30m", "LORA", "FP32", 2, 256),
    Case("llama-30m", "LORA", "BF16", 4, 256),
    Case("llama-30m", "FULL", "BF16", 1, 256),
    Case("llama-30m", "FULL", "FP32", 2, 128),
    Case("gpt2-24m", "FULL", "FP32", 2, 256),
    Case("qwen3-27m", "LORA", "BF16", 2, 512),
)
UNSEEN = (
    Case("llama-55m", "LORA", "BF16", 2, 256),
    Case("llama-55m", "FULL", "BF16", 2, 384),
    Case("llama-5m", "FULL", "FP32", 4, 256),
    Case("llama-30m", "LORA", "BF16", 2, 512, checkpointing=True),
    Case("gpt2-10m", "LORA", "FP32", 4, 256),
    Case("gpt2-10m", "FULL", "BF16", 2, 512),
    Case("qwen3-12m", "FULL", "FP32", 2, 256),
    Case("qwen3-12m", "LORA", "BF16", 4, 128),
)
EVERY = {case.name: case for case in (*SEEN, *UNSEEN)}
