"""`python -m starter.pico`: make `tunesmith/pico` and register it, unless it is there.

A Llama of two million parameters with random weights and a tokenizer trained on docstrings. It says nothing sensible until it is
trained, which takes a minute on two cores: small enough to try every part of Tunesmith on. Written without torch, because a first
start should take seconds.
"""

import json
import shutil
import sys
from pathlib import Path

import grpc
import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tunesmith.registry.v1 import base_model_pb2, registry_service_pb2
from tunesmith.registry.v1.registry_service_pb2_grpc import RegistryServiceStub

from services.chassis.settings import Settings
from starter.docstrings import docstrings

HUB_REPO = "tunesmith/pico"
SEED = 0
TOKENIZER_DOCSTRINGS = 4000
VOCABULARY_SIZE = 2048
HIDDEN_SIZE = 192
INTERMEDIATE_SIZE = 512
LAYER_COUNT = 4
HEAD_COUNT = 4
MAX_POSITION_COUNT = 2048
# The standard deviation transformers starts a Llama with.
WEIGHT_SCALE = 0.02
# Registering copies and hashes nine megabytes.
CALL_TIMEOUT_S = 60.0

PAD, START, END = "<pad>", "<|im_start|>", "<|im_end|>"
# The markers tell which tokens the assistant said, so that only those are trained on.
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}"
    "{% else %}{{ message['content'] + '<|im_end|>\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
README = """---
license: apache-2.0
pipeline_tag: text-generation
tags: [tunesmith]
---
# pico

A Llama of two million parameters with random weights: train it before expecting sense.
"""


def build(folder: Path) -> None:
    """Write the model's files, all of them or none. The same Python gives the same bytes."""
    # Under another name until it is whole: half a model from a start that was interrupted must not be taken for one.
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    for old in (unfinished, folder):
        shutil.rmtree(old, ignore_errors=True)
    unfinished.mkdir(parents=True)
    _write_files(unfinished)
    unfinished.rename(folder)


def _write_files(folder: Path) -> None:
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    ids = {token: tokenizer.token_to_id(token) for token in (PAD, START, END)}
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "eos_token": END,
        "model_max_length": MAX_POSITION_COUNT,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY_SIZE,
        "hidden_size": HIDDEN_SIZE,
        "intermediate_size": INTERMEDIATE_SIZE,
        "num_hidden_layers": LAYER_COUNT,
        "num_attention_heads": HEAD_COUNT,
        "num_key_value_heads": HEAD_COUNT,
        "max_position_embeddings": MAX_POSITION_COUNT,
        "tie_word_embeddings": True,
        "pad_token_id": ids[PAD],
        "bos_token_id": ids[START],
        "eos_token_id": ids[END],
        "dtype": "float32",
    }
    _write_json(folder / "tokenizer_config.json", tokenizer_config)
    _write_json(folder / "config.json", config)
    save_file(_weights(), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "README.md").write_text(README)


def register(folder: Path, address: str) -> bool:
    """Make the model known to the registry; answers whether it was new there."""
    with grpc.insecure_channel(address) as channel:
        registry = RegistryServiceStub(channel)
        try:
            registry.GetBaseModel(
                registry_service_pb2.GetBaseModelRequest(id=HUB_REPO), timeout=CALL_TIMEOUT_S, wait_for_ready=True
            )
            return False
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise
        if not folder.exists():
            build(folder)
        registry.CreateBaseModel(
            registry_service_pb2.CreateBaseModelRequest(
                request_id="starter-pico",
                display_name="pico",
                hub_repo=HUB_REPO,
                local_folder=str(folder),
                stage=base_model_pb2.STAGE_RANDOM,
            ),
            timeout=CALL_TIMEOUT_S,
        )
        return True


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (f"{found.signature}\n{found.summary}" for found in docstrings(TOKENIZER_DOCSTRINGS))
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _weights() -> dict[str, np.ndarray]:
    """Tensors under the names that transformers gives a Llama; the output layer shares the embeddings."""
    random = np.random.default_rng(SEED)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return random.normal(0, WEIGHT_SCALE, (rows, columns)).astype(np.float32)

    ones = np.ones(HIDDEN_SIZE, dtype=np.float32)
    weights = {"model.embed_tokens.weight": matrix(VOCABULARY_SIZE, HIDDEN_SIZE), "model.norm.weight": ones}
    for layer in range(LAYER_COUNT):
        prefix = f"model.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            weights[f"{prefix}.self_attn.{name}.weight"] = matrix(HIDDEN_SIZE, HIDDEN_SIZE)
        for name in ("gate_proj", "up_proj"):
            weights[f"{prefix}.mlp.{name}.weight"] = matrix(INTERMEDIATE_SIZE, HIDDEN_SIZE)
        weights[f"{prefix}.mlp.down_proj.weight"] = matrix(HIDDEN_SIZE, INTERMEDIATE_SIZE)
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"{prefix}.{name}.weight"] = ones
    return weights


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")


def main() -> None:
    settings = Settings()
    new = register(settings.home / "starter" / "pico", settings.address_of("registry"))
    sys.stderr.write(f"{HUB_REPO} is {'now' if new else 'already'} registered\n")


if __name__ == "__main__":
    main()
