"""What a model's configuration alone tells of it."""

from collections.abc import Mapping
from typing import Any

from tunesmith.registry.v1 import base_model_pb2

from services.registry.domain import is_family
from services.registry.importing.architecture import architecture
from services.registry.importing.files import CONFIG, names_code, parse_json
from services.registry.importing.refused import Refused

# Longer ones can't be asked about, and the longest published ones have 50,000 characters.
MAX_CONFIGURATION_CHARACTERS = 262_144

_VISION_ARCHITECTURES = ("ForImageClassification", "ForMaskedImageModeling", "ForObjectDetection", "ForImageSegmentation")
# As transformers names dtypes, and as safetensors does.
_DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64"}
_DTYPE_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8}


def read_configuration(data: bytes, *, may_name_code: bool = False) -> dict[str, Any]:
    """A configuration that names a family. Raises Refused, also for one that names code unless it may."""
    config = parse_json(CONFIG, data, may_name_code=may_name_code)
    if not is_family(config.get("model_type")):
        raise Refused(f"{CONFIG} has no model_type that names a family of transformers; save the model again")
    return config


def of_configuration(config: Mapping[str, Any], text: str) -> base_model_pb2.BaseModel:
    """The fields of a base model that its configuration decides. `text` is the configuration as published."""
    return base_model_pb2.BaseModel(
        family=config["model_type"],
        dtype=_dtype(config),
        architecture=architecture(config),
        modality=_modality(config),
        quantized=bool(config.get("quantization_config")),
        configuration_json=text if len(text) <= MAX_CONFIGURATION_CHARACTERS else "",
    )


def needs_code(text: str) -> bool:
    """Whether a stored configuration names code of the model's own."""
    return names_code(parse_json(CONFIG, text.encode(), may_name_code=True))


def weight_bytes(parameter_count: int, dtype: str) -> int | None:
    """Bytes of so many parameters; None for a dtype that says nothing."""
    size = _DTYPE_BYTES.get(dtype)
    return parameter_count * size if size else None


def _dtype(config: Mapping[str, Any]) -> str:
    # transformers 5 writes `dtype`, and those before it `torch_dtype`; in a model that sees perhaps in the part that reads.
    parts = (config, config.get("text_config"))
    names = (part.get(key) for part in parts if isinstance(part, dict) for key in ("dtype", "torch_dtype"))
    return next((_DTYPES[name] for name in names if isinstance(name, str) and name in _DTYPES), "")


def _modality(config: Mapping[str, Any]) -> base_model_pb2.Modality:
    sees, hears = (isinstance(config.get(f"{sense}_config"), dict) for sense in ("vision", "audio"))
    if sees and hears:
        return base_model_pb2.MODALITY_MULTIMODAL
    if sees:
        return base_model_pb2.MODALITY_VISION_TEXT
    names = config.get("architectures")
    if isinstance(names, list) and any(str(name).endswith(_VISION_ARCHITECTURES) for name in names):
        return base_model_pb2.MODALITY_VISION
    if "image_size" in config and "vocab_size" not in config:
        # The body of one, without what it was trained to say.
        return base_model_pb2.MODALITY_VISION
    return base_model_pb2.MODALITY_TEXT
