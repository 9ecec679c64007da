"""A base model takes over what its files say, once they are here."""

import structlog
from tunesmith.registry.v1 import base_model_pb2

log = structlog.get_logger()

# What the files decide; what people say about a model stays. A field that the files leave unset is unset.
_DECIDED = (
    "family",
    "parameter_count",
    "dtype",
    "architecture",
    "modality",
    "trainable",
    "servable",
    "quantized",
    "tokenizer",
    "chat_template",
    "has_chat_template",
    "linear_modules",
    "files",
    "size_bytes",
    "configuration_json",
)


def take_over(found: base_model_pb2.BaseModel, model: base_model_pb2.BaseModel) -> None:
    """Put what was found in a model's files into its record, which was complete without them but for what nobody could know."""
    same_configuration = model.configuration_json == found.configuration_json
    said_license, said_revision = model.license, model.revision
    for name in _DECIDED:
        model.ClearField(name)
    model.MergeFrom(found)
    model.license = said_license or found.license
    model.revision = found.revision or said_revision
    model.cache_status = base_model_pb2.CACHE_STATUS_CACHED
    model.download_bytes = 0
    model.ClearField("download")
    if not same_configuration or not model.HasField("profile"):
        ask_for_profile(model)
    check_count(model)


def ask_for_profile(model: base_model_pb2.BaseModel) -> None:
    """Mark a model as one that a pool has to build."""
    model.ClearField("profile")
    model.ClearField("profile_error")
    if model.configuration_json:
        model.profile_status = base_model_pb2.PROFILE_STATUS_PENDING
    else:
        model.ClearField("profile_status")


def check_count(model: base_model_pb2.BaseModel) -> None:
    """Note that weights and configuration disagree. What the weights say is kept: it is what is trained."""
    if not (model.HasField("profile") and model.HasField("parameter_count")):
        return
    built = model.profile.parameter_count
    if built != model.parameter_count:
        log.warning("parameter_counts_disagree", base_model=model.id, weights=model.parameter_count, built=built)
