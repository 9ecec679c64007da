"""What a model is, from its configuration and its weights' headers: no weights read, no torch, no code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunesmith.registry.v1 import base_model_pb2

from services.registry.importing.configuration import of_configuration, read_configuration
from services.registry.importing.files import CONFIG, MAX_JSON_BYTES, WEIGHTS, WEIGHTS_INDEX, weight_map
from services.registry.importing.license import license_of_folder
from services.registry.importing.linear_modules import linear_modules
from services.registry.importing.parameters import main_dtype, parameter_count
from services.registry.importing.refused import Refused
from services.registry.importing.safetensors_header import Tensor, read_header
from services.registry.importing.tokenizer import tokenizer_and_template


def check_config(folder: Path) -> dict[str, Any]:
    """A model's configuration. Raises Refused for one that names no family, or names code."""
    return _read(folder)[0]


def profile(folder: Path) -> base_model_pb2.BaseModel:
    """The fields of a base model that its files decide. Raises Refused for files that contradict each other."""
    config, text = _read(folder)
    tensors = _tensors(folder)
    if not tensors:
        raise Refused("its weights hold no tensors; save the model again")
    model = of_configuration(config, text)
    tokenizer, chat_template = tokenizer_and_template(folder)
    sees_only = model.modality == base_model_pb2.MODALITY_VISION
    model.MergeFrom(
        base_model_pb2.BaseModel(
            # Text without a tokenizer never becomes tokens.
            trainable=not model.quantized and (bool(tokenizer) or sees_only),
            servable=bool(tokenizer) or sees_only,
            tokenizer=tokenizer,
            chat_template=chat_template,
            has_chat_template=bool(chat_template),
            linear_modules=linear_modules(tensors, model.architecture.vocabulary_size),
            license=license_of_folder(folder),
        )
    )
    model.dtype = main_dtype(tensors, config)
    if not model.quantized:
        # Quantized weights are packed, several to an element.
        model.parameter_count = parameter_count(tensors, config)
    return model


def _read(folder: Path) -> tuple[dict[str, Any], str]:
    """The configuration, and its text as published."""
    path = folder / CONFIG
    if path.stat().st_size > MAX_JSON_BYTES:
        raise Refused(f"{CONFIG} is larger than {MAX_JSON_BYTES} bytes, which no model's is; save the model again")
    data = path.read_bytes()
    return read_configuration(data), data.decode()


def _tensors(folder: Path) -> Sequence[Tensor]:
    if (folder / WEIGHTS).exists():
        return read_header(folder / WEIGHTS)
    shards = weight_map(folder)
    held = {name: read_header(folder / name) for name in sorted(set(shards.values()))}
    where = {tensor.name: file for file, tensors in held.items() for tensor in tensors}
    lost = next((name for name, file in shards.items() if where.get(name) != file), None)
    if lost is not None or len(where) != sum(map(len, held.values())):
        raise Refused(f"{WEIGHTS_INDEX} and the files it names disagree about {lost or 'a tensor'}; copy or save the model again")
    return [tensor for tensors in held.values() for tensor in tensors]
