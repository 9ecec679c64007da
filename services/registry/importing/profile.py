"""What a model is, from its configuration and its weights' headers: no weights read, no torch, no code."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunesmith.registry.v1 import base_model_pb2

from services.registry.domain import is_family
from services.registry.importing.architecture import architecture
from services.registry.importing.files import CONFIG, WEIGHTS, WEIGHTS_INDEX, read_json, weight_map
from services.registry.importing.linear_modules import linear_modules
from services.registry.importing.parameters import main_dtype, parameter_count
from services.registry.importing.refused import Refused
from services.registry.importing.safetensors_header import Tensor, read_header
from services.registry.importing.tokenizer import tokenizer_and_template

_VISION_ARCHITECTURES = ("ForImageClassification", "ForMaskedImageModeling", "ForObjectDetection", "ForImageSegmentation")


def check_config(folder: Path) -> dict[str, Any]:
    """A model's configuration. Raises Refused for one that names no family, or names code."""
    config = read_json(folder / CONFIG)
    if not is_family(config.get("model_type")):
        raise Refused(f"{CONFIG} has no model_type that names a family of transformers; save the model again")
    return config


def profile(folder: Path) -> base_model_pb2.BaseModel:
    """The fields of a base model that its files decide. Raises Refused for files that contradict each other."""
    config = check_config(folder)
    tensors = _tensors(folder)
    if not tensors:
        raise Refused("its weights hold no tensors; save the model again")
    tokenizer, chat_template = tokenizer_and_template(folder)
    shape = architecture(config)
    quantized = bool(config.get("quantization_config"))
    modality = _modality(config)
    model = base_model_pb2.BaseModel(
        family=config["model_type"],
        dtype=main_dtype(tensors, config),
        architecture=shape,
        modality=modality,
        quantized=quantized,
        # Text without a tokenizer never becomes tokens.
        trainable=not quantized and (bool(tokenizer) or modality == base_model_pb2.MODALITY_VISION),
        servable=bool(tokenizer) or modality == base_model_pb2.MODALITY_VISION,
        tokenizer=tokenizer,
        chat_template=chat_template,
        linear_modules=linear_modules(tensors, shape.vocabulary_size),
    )
    if not quantized:
        # Quantized weights are packed, several to an element.
        model.parameter_count = parameter_count(tensors, config)
    return model


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


def _modality(config: Mapping[str, Any]) -> base_model_pb2.Modality:
    if isinstance(config.get("vision_config"), dict):
        return base_model_pb2.MODALITY_VISION_TEXT
    names = config.get("architectures")
    if isinstance(names, list) and any(str(name).endswith(_VISION_ARCHITECTURES) for name in names):
        return base_model_pb2.MODALITY_VISION
    return base_model_pb2.MODALITY_TEXT
