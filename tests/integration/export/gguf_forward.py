"""A forward pass computed from nothing but a GGUF file, in llama.cpp's conventions, in float32."""

import math
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

Tensors = dict[str, torch.Tensor]


class Model:
    """A file's metadata and its tensors, dequantized."""

    def __init__(self, path: Path) -> None:
        self.reader = gguf.GGUFReader(path)
        self.arch: str = self.value("general.architecture")
        self.tensors: Tensors = {
            one.name: torch.from_numpy(np.array(gguf.dequantize(one.data, one.tensor_type), dtype=np.float32))
            for one in self.reader.tensors
        }
        self.types = {one.name: one.tensor_type for one in self.reader.tensors}

    def value(self, key: str, default: Any = None) -> Any:
        field = self.reader.get_field(key)
        return default if field is None else field.contents()

    def own(self, key: str, default: Any = None) -> Any:
        return self.value(f"{self.arch}.{key}", default)

    def logits(self, tokens: torch.Tensor) -> torch.Tensor:
        """Of one sequence of token numbers."""
        hidden = self.tensors["token_embd.weight"][tokens]
        if self.arch.startswith("gemma"):
            hidden = hidden * math.sqrt(hidden.shape[-1])
        if "position_embd.weight" in self.tensors:
            hidden = hidden + self.tensors["position_embd.weight"][: len(tokens)]
        for layer in range(self.own("block_count")):
            hidden = hidden + self._after(f"blk.{layer}.post_attention_norm", self._attention(layer, hidden))
            hidden = hidden + self._after(f"blk.{layer}.post_ffw_norm", self._feed_forward(layer, hidden))
        output = self.tensors.get("output.weight", self.tensors["token_embd.weight"])
        logits = self._norm("output_norm", hidden) @ output.T
        return _capped(logits, self.own("final_logit_softcapping"))

    def _attention(self, layer: int, hidden: torch.Tensor) -> torch.Tensor:
        name, length = f"blk.{layer}", len(hidden)
        heads, groups = self.own("attention.head_count"), self.own("attention.head_count_kv", self.own("attention.head_count"))
        size = self.own("attention.key_length", hidden.shape[-1] // heads)
        normed = self._norm(f"{name}.attn_norm", hidden)
        if f"{name}.attn_qkv.weight" in self.tensors:
            query, key, value = self._linear(f"{name}.attn_qkv", normed).split([heads * size, groups * size, groups * size], -1)
        else:
            query, key, value = (self._linear(f"{name}.attn_{part}", normed) for part in "qkv")
        query, key, value = (part.view(length, -1, size).transpose(0, 1) for part in (query, key, value))
        if f"{name}.attn_q_norm.weight" in self.tensors:
            query, key = self._norm(f"{name}.attn_q_norm", query), self._norm(f"{name}.attn_k_norm", key)
        if self.own("rope.freq_base") is not None:
            query, key = self._rotated(query, layer), self._rotated(key, layer)
        key, value = (part.repeat_interleave(heads // groups, 0) for part in (key, value))
        scores = _capped(query @ key.transpose(1, 2) / math.sqrt(size), self.own("attn_logit_softcapping"))
        scores = scores.masked_fill(~self._seen(length, layer), -math.inf)
        mixed = (scores.softmax(-1) @ value).transpose(0, 1).reshape(length, -1)
        return self._linear(f"{name}.attn_output", mixed)

    def _seen(self, length: int, layer: int) -> torch.Tensor:
        seen = torch.ones(length, length, dtype=torch.bool).tril()
        pattern = {"gemma2": 2, "gemma3": 6}.get(self.arch)
        if pattern is not None and (layer + 1) % pattern != 0:
            seen &= torch.ones_like(seen).triu(1 - self.own("attention.sliding_window"))
        return seen

    def _rotated(self, values: torch.Tensor, layer: int) -> torch.Tensor:
        size = self.own("rope.dimension_count")
        local = self.arch == "gemma3" and (layer + 1) % 6 != 0
        base = 10000.0 if local else self.own("rope.freq_base")
        frequencies = base ** (-torch.arange(0, size, 2).float() / size)
        if "rope_freqs.weight" in self.tensors:
            frequencies = frequencies / self.tensors["rope_freqs.weight"]
        if self.own("rope.scaling.type") == "linear" and not local:
            frequencies = frequencies / self.own("rope.scaling.factor")
        angles = torch.arange(values.shape[1])[:, None] * frequencies
        cos, sin = angles.cos(), angles.sin()
        if self.arch == "llama":
            # Neighbours turn against each other.
            even, odd = values[..., 0::2], values[..., 1::2]
            return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)
        first, second = values.chunk(2, -1)
        return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)

    def _feed_forward(self, layer: int, hidden: torch.Tensor) -> torch.Tensor:
        name = f"blk.{layer}"
        normed = self._norm(f"{name}.ffn_norm", hidden)
        up = self._linear(f"{name}.ffn_up", normed)
        if self.arch == "gpt2":
            return self._linear(f"{name}.ffn_down", torch.nn.functional.gelu(up, approximate="tanh"))
        if f"{name}.ffn_gate.weight" in self.tensors:
            gate = self._linear(f"{name}.ffn_gate", normed)
        else:
            gate, up = up.chunk(2, -1)
        gemma = self.arch.startswith("gemma")
        activated = torch.nn.functional.gelu(gate, approximate="tanh") if gemma else torch.nn.functional.silu(gate)
        return self._linear(f"{name}.ffn_down", activated * up)

    def _after(self, name: str, values: torch.Tensor) -> torch.Tensor:
        return self._norm(name, values) if f"{name}.weight" in self.tensors else values

    def _norm(self, name: str, values: torch.Tensor) -> torch.Tensor:
        weight = self.tensors[f"{name}.weight"]
        if f"{name}.bias" in self.tensors:
            epsilon = self.own("attention.layer_norm_epsilon")
            return torch.nn.functional.layer_norm(values, weight.shape, weight, self.tensors[f"{name}.bias"], epsilon)
        return torch.nn.functional.rms_norm(values, weight.shape, weight, self.own("attention.layer_norm_rms_epsilon"))

    def _linear(self, name: str, values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(values, self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias"))


def _capped(values: torch.Tensor, cap: float | None) -> torch.Tensor:
    return cap * torch.tanh(values / cap) if cap else values
