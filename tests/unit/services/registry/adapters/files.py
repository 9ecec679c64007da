"""Small adapters, written as save_pretrained of a PEFT model writes them, without torch; and archives of them."""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from safetensors.numpy import save

from tests.unit.services.registry.models import HIDDEN, INTERMEDIATE

RANK, ALPHA = 2, 4
# What a tiny Llama's layers take and give.
SIZES = {
    "self_attn.q_proj": (HIDDEN, HIDDEN),
    "self_attn.k_proj": (HIDDEN, HIDDEN // 2),
    "self_attn.v_proj": (HIDDEN, HIDDEN // 2),
    "mlp.up_proj": (HIDDEN, INTERMEDIATE),
    "mlp.down_proj": (INTERMEDIATE, HIDDEN),
}
TARGETS = ("self_attn.q_proj", "self_attn.v_proj")

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def settings(rank: int = RANK, alpha: float = ALPHA, targets: Iterable[str] = TARGETS, **others: Any) -> dict[str, Any]:
    """adapter_config.json as PEFT writes it, with what the registry leaves out."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "auto_mapping": {"base_model_class": "Evil", "parent_library": "os"},
        "base_model_name_or_path": "/somewhere/else",
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.05,
        "target_modules": [target.rpartition(".")[2] for target in targets],
        "bias": "none",
        "init_lora_weights": True,
        "megatron_core": "megatron.core",
        "peft_version": "0.21.2",
        "use_dora": False,
        **others,
    }


def tensors(rank: int = RANK, targets: Iterable[str] = TARGETS, layers: int = 2, seed: int = 0) -> dict[str, np.ndarray]:
    """Both factors of these layers."""
    random = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}
    for layer in range(layers):
        for target in targets:
            before, after = SIZES[target]
            path = f"base_model.model.model.layers.{layer}.{target}"
            made[f"{path}.lora_A.weight"] = random.standard_normal((rank, before), np.float32)
            made[f"{path}.lora_B.weight"] = random.standard_normal((after, rank), np.float32)
    return made


def lora(
    *, configuration: Mapping[str, Any] | None = None, weights: Mapping[str, np.ndarray] | None = None, **others: bytes
) -> dict[str, bytes]:
    """An adapter's files."""
    return {
        CONFIG: json.dumps(dict(settings() if configuration is None else configuration)).encode(),
        WEIGHTS: save(dict(tensors() if weights is None else weights)),
        **others,
    }


def prompt(tokens: int = 4, size: int = HIDDEN, **others: Any) -> dict[str, bytes]:
    """A soft prompt's files."""
    configuration = {
        "peft_type": "PROMPT_TUNING",
        "task_type": "CAUSAL_LM",
        "num_virtual_tokens": tokens,
        "token_dim": size,
        "num_transformer_submodules": 1,
        "prompt_tuning_init": "TEXT",
        "tokenizer_name_or_path": "/etc",
        **others,
    }
    return {CONFIG: json.dumps(configuration).encode(), WEIGHTS: save({"prompt_embeddings": np.ones((4, HIDDEN), np.float32)})}


def entry(name: str, body: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A plain file in an archive, unless the fields make it something else."""
    info = tarfile.TarInfo(name)
    info.size = len(body)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, body


def archive(*entries: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar archive of entries."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=format) as tar:
        for info, body in entries:
            tar.addfile(info, io.BytesIO(body))
    return packed.getvalue()


def packed(files: Mapping[str, bytes], folder: str = "adapter/") -> bytes:
    """A tar archive of files, as a job's download is."""
    return archive(*(entry(f"{folder}{name}", body) for name, body in files.items()))
