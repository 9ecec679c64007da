"""Base models as tables."""

from collections.abc import Iterable

from rich.table import Table
from tunesmith.cli import wording
from tunesmith.cli.output import facts, table
from tunesmith.registry.v1 import base_model_pb2

_CACHED = base_model_pb2.CACHE_STATUS_CACHED


def many(models: Iterable[base_model_pb2.BaseModel]) -> Table:
    """A line a model."""
    rows = [
        (
            model.id,
            model.hub_repo or model.display_name,
            model.family,
            wording.count(model.parameter_count) if model.HasField("parameter_count") else "",
            _context(model, ""),
            wording.choice(base_model_pb2.Stage, model.stage, "STAGE_"),
            weights(model),
            model.license,
            profile(model),
        )
        for model in models
    ]
    return table("ID", "NAME", "FAMILY", "PARAMETERS", "CONTEXT", "STAGE", "WEIGHTS", "LICENSE", "PROFILE", rows=rows)


def one(model: base_model_pb2.BaseModel) -> Table:
    """All that is known of a model."""
    shape = model.architecture
    return facts(
        [
            ("id", model.id),
            ("name", model.hub_repo),
            ("display name", model.display_name),
            ("revision", model.revision),
            ("family", model.family),
            ("reads", wording.choice(base_model_pb2.Modality, model.modality, "MODALITY_")),
            ("parameters", f"{model.parameter_count:,}" if model.HasField("parameter_count") else ""),
            ("stored as", model.dtype + (", quantized" if model.quantized else "") + (", GGUF" if model.gguf else "")),
            *((label, f"{getattr(shape, name):,}" if shape.HasField(name) else "") for label, name in _SHAPE),
            ("longest sequence", _context(model, " tokens")),
            ("stage", wording.choice(base_model_pb2.Stage, model.stage, "STAGE_")),
            ("lifecycle", wording.choice(base_model_pb2.Lifecycle, model.lifecycle, "LIFECYCLE_")),
            ("license", model.license),
            ("trainable", "yes" if model.trainable else "no"),
            ("servable", "yes" if model.servable else "no"),
            ("chat template", _chat_template(model)),
            ("linear modules", ", ".join(model.linear_modules)),
            ("private", _private(model)),
            ("weights", weights(model)),
            ("download", model.download.error),
            ("profile", profile(model)),
            ("no profile", model.profile_error),
            ("made by job", model.lineage.job_id),
            ("created", wording.ago(model.create_time)),
            ("changed", wording.ago(model.update_time)),
        ]
    )


def weights(model: base_model_pb2.BaseModel) -> str:
    """Where the weights are, their size, and how long it takes to fetch them: `not cached, 6.43 GB, 4 min 17 s`."""
    parts = [wording.choice(base_model_pb2.CacheStatus, model.cache_status, "CACHE_STATUS_")]
    if model.cache_status == _CACHED:
        parts.append(wording.size(model.size_bytes))
    elif model.download.state == base_model_pb2.DOWNLOAD_STATE_RUNNING:
        parts.append(downloaded(model.download))
    elif model.HasField("download_bytes"):
        parts.append(wording.size(model.download_bytes))
        if model.HasField("estimated_download_seconds"):
            parts.append(wording.duration(model.estimated_download_seconds))
    return ", ".join(filter(None, parts))


def downloaded(download: base_model_pb2.Download) -> str:
    """`2.1 GB of 6.43 GB, 2 min 50 s left`."""
    text = f"{wording.size(download.done_bytes)} of {wording.size(download.total_bytes)}"
    if download.HasField("remaining_seconds"):
        text += f", {wording.duration(download.remaining_seconds)} left"
    return text


def profile(model: base_model_pb2.BaseModel) -> str:
    """Whether the model's modules are known."""
    return wording.choice(base_model_pb2.ProfileStatus, model.profile_status, "PROFILE_STATUS_")


_SHAPE = (
    ("layers", "layer_count"),
    ("hidden size", "hidden_size"),
    ("feed-forward size", "intermediate_size"),
    ("attention heads", "attention_head_count"),
    ("key and value heads", "key_value_head_count"),
    ("head size", "head_size"),
    ("vocabulary", "vocabulary_size"),
    ("sliding window", "sliding_window"),
    ("experts", "expert_count"),
    ("experts a token", "active_expert_count"),
    ("image size", "image_size"),
    ("patch size", "patch_size"),
)


def _context(model: base_model_pb2.BaseModel, unit: str) -> str:
    shape = model.architecture
    return f"{shape.max_position_count:,}{unit}" if shape.HasField("max_position_count") else ""


def _chat_template(model: base_model_pb2.BaseModel) -> str:
    if model.chat_template or model.has_chat_template:
        return "yes"
    # Of a model whose tokenizer was not read yet nothing is known.
    return "no: strategy CHAT is refused" if model.files or model.HasField("has_chat_template") else ""


def _private(model: base_model_pb2.BaseModel) -> str:
    if not model.private:
        return ""
    return f"yes, read with {model.credential_id}" if model.credential_id else "yes; `update --credential` names its token"
