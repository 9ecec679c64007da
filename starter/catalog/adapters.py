"""Adds adapters to try things on: as PEFT starts them, before any training.

Their second factors are zero, so they change nothing; their names, shapes and files are those of trained ones.
"""

import io
import json
import math
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import orjson
from tunesmith.client.blocking import Tunesmith
from tunesmith.client.paging import gather
from tunesmith.registry.v1 import base_model_pb2

BASE_MODEL = "meta-llama/Llama-2-7b-hf"
RANK, ALPHA, DROPOUT = 8, 16, 0.05
TARGETS = ("q_proj", "v_proj")
_DESCRIPTION = "{purpose}: freshly initialised, so it changes nothing until it is trained."


@dataclass(frozen=True)
class Sample:
    """One of them."""

    display_name: str
    purpose: str
    seed: int


SAMPLES = (
    Sample("Llama-2-7B Code Adapter", "A place to begin training on code from", 1),
    Sample("Llama-2-7B Math Adapter", "A place to begin training on mathematics from", 2),
)


def seed_adapters(client: Tunesmith) -> list[str]:
    """Upload the adapters that are not there yet; answers their names. Raises NotFound if their base model is not registered."""
    model = client.registry.get_base_model(id=BASE_MODEL).base_model
    there = {adapter.display_name for adapter in gather(client.adapters.list_adapters, base_model=model.id).adapters}
    missing = [sample for sample in SAMPLES if sample.display_name not in there]
    for sample in missing:
        client.upload_adapter(
            io.BytesIO(archive(model, sample.seed)),
            base_model=model.id,
            display_name=sample.display_name,
            description=_DESCRIPTION.format(purpose=sample.purpose),
        )
    return [sample.display_name for sample in missing]


def archive(model: base_model_pb2.BaseModel, seed: int) -> bytes:
    """A new adapter of a Llama as a tar archive. The same seed gives the same bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, body in (("adapter_config.json", _configuration()), ("adapter_model.safetensors", _weights(model, seed))):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return packed.getvalue()


def _configuration() -> bytes:
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": DROPOUT,
        "target_modules": list(TARGETS),
        "bias": "none",
    }
    return json.dumps(settings).encode()


def _weights(model: base_model_pb2.BaseModel, seed: int) -> bytes:
    """Both factors of each layer, in bfloat16."""
    shape = model.architecture
    head_size = shape.head_size or shape.hidden_size // shape.attention_head_count
    heads = {"q_proj": shape.attention_head_count, "v_proj": shape.key_value_head_count or shape.attention_head_count}
    random = np.random.default_rng(seed)
    # As PEFT starts them: Kaiming's uniform distribution with a = √5, and zeros.
    bound = 1 / math.sqrt(shape.hidden_size)
    tensors: dict[str, npt.NDArray[np.float32]] = {}
    for layer in range(shape.layer_count):
        for target in TARGETS:
            path = f"base_model.model.model.layers.{layer}.self_attn.{target}"
            tensors[f"{path}.lora_A.weight"] = random.uniform(-bound, bound, (RANK, shape.hidden_size)).astype(np.float32)
            tensors[f"{path}.lora_B.weight"] = np.zeros((heads[target] * head_size, RANK), np.float32)
    return _safetensors({name: _bfloat16(tensor) for name, tensor in tensors.items()})


def _bfloat16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """The nearest bfloat16s, by their bits: the upper halves of float32s, rounded to even. NumPy has no such type."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _safetensors(tensors: Mapping[str, npt.NDArray[np.uint16]]) -> bytes:
    header, end = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "BF16", "shape": tensor.shape, "data_offsets": [end, end + tensor.nbytes]}
        end += tensor.nbytes
    packed = orjson.dumps(header)
    packed += b" " * (-len(packed) % 8)
    return b"".join([len(packed).to_bytes(8, "little"), packed, *(tensor.tobytes() for tensor in tensors.values())])
