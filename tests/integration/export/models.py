"""Tiny models of every architecture, tokenizers of both kinds, and adapters whose weights are not zero."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from tests.integration.training.conftest import CHAT_TEMPLATE, TEXTS

VOCABULARY_SIZE = 384
# Rows of embeddings that no token has, as many models have them.
UNUSED = 16
_SPECIAL = ["<pad>", "<eos>", "<bos>", "<|user|>", "<|assistant|>"]
TINY: dict[str, Any] = {
    "vocab_size": VOCABULARY_SIZE + UNUSED,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 2,
    "initializer_range": 0.2,
}
_LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 5e5,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
_GEMMA3_ROPE = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    "full_attention": {"rope_type": "default", "rope_theta": 1e6},
}

CONFIGURATIONS: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaConfig(**TINY, tie_word_embeddings=True),
    "llama 3": lambda: LlamaConfig(**TINY, rope_parameters=_LLAMA3, tie_word_embeddings=False),
    "mistral": lambda: MistralConfig(**TINY, sliding_window=128),
    "qwen2": lambda: Qwen2Config(**TINY),
    "qwen3": lambda: Qwen3Config(**TINY, head_dim=32, tie_word_embeddings=True),
    "gemma2": lambda: Gemma2Config(
        **TINY, head_dim=32, query_pre_attn_scalar=32, sliding_window=8, tie_word_embeddings=True, attn_logit_softcapping=5.0
    ),
    "gemma3": lambda: Gemma3TextConfig(
        **TINY | {"num_hidden_layers": 6},
        head_dim=32,
        query_pre_attn_scalar=32,
        sliding_window=8,
        rope_parameters=_GEMMA3_ROPE,
        tie_word_embeddings=True,
    ),
    "phi3": lambda: Phi3Config(**TINY),
    "gpt2": lambda: GPT2Config(
        **{name: TINY[name] for name in ("vocab_size", "pad_token_id", "eos_token_id", "bos_token_id", "initializer_range")},
        n_embd=64,
        n_layer=2,
        n_head=4,
        n_positions=256,
    ),
}


def write_base(folder: Path, configuration: Any, tokenizer: PreTrainedTokenizerFast, dtype: torch.dtype = torch.float32) -> Path:
    """A model with random weights, norms and biases among them, and its tokenizer."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(configuration)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    model.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_adapter(folder: Path, base: Path, **settings: Any) -> Path:
    """An adapter on every linear layer that changes what the model says, with the tokenizer beside it as a job saves it."""
    torch.manual_seed(2)
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(base)
    wanted = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **settings}
    adapted = get_peft_model(model, LoraConfig(**wanted))
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.1 * torch.randn_like(parameter))
    adapted.save_pretrained(str(folder))
    PreTrainedTokenizerFast.from_pretrained(base).save_pretrained(folder)
    (folder / "README.md").write_text("---\ntags: [x]\n---\n\n# trained\n\n## Loss\n\nfrom 3 to 1\n", encoding="utf-8")
    return folder


def byte_level(pre_tokenizer: Any = None) -> PreTrainedTokenizerFast:
    """Byte-level BPE, as GPT-2, Llama 3 and Qwen have it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer or pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return _finished(tokenizer)


def sentence_piece() -> PreTrainedTokenizerFast:
    """BPE with byte fallback on ▁, as Llama 2 and Gemma have it, with a token before every text."""
    single = [*_SPECIAL, "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    seen: dict[str, int] = {}
    for text in TEXTS:
        for word in text.split(" "):
            for first, second in itertools.pairwise(f"▁{word}"):
                seen[first + second] = seen.get(first + second, 0) + 1
    letters = sorted({letter for text in TEXTS for letter in text if letter != " "} | {"▁"})
    room = VOCABULARY_SIZE - len(single) - len(letters)
    pairs = sorted(seen, key=lambda pair: (-seen[pair], pair))[:room]
    vocabulary = {token: number for number, token in enumerate([*single, *letters, *pairs])}
    merges = [(pair[0], pair[1]) for pair in pairs]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([*_SPECIAL, "<unk>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", tokenizer.token_to_id("<bos>"))]
    )
    return _finished(tokenizer, unk_token="<unk>")


def _finished(tokenizer: Tokenizer, **names: str) -> PreTrainedTokenizerFast:
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", **names)
    fast.chat_template = CHAT_TEMPLATE
    return fast
