"""What can be said of a hub model without downloading it."""

from tunesmith.registry.v1 import base_model_pb2, registry_service_pb2

from services.registry.importing.configuration import MAX_CONFIGURATION_CHARACTERS, of_configuration, read_configuration
from services.registry.importing.files import (
    CHAT_TEMPLATE,
    CONFIG,
    MAX_JSON_BYTES,
    TOKENIZER_CONFIG,
    is_gguf_only,
    names_code,
    parse_json,
    refuse_without_safetensors,
    small_files,
)
from services.registry.importing.hub import Hub, HubUnreachable, NeedsCredential
from services.registry.importing.hub_repository import HubRepository
from services.registry.importing.tokenizer import tokenizer_of

OWN_CODE = "its configuration has auto_map: it needs code of its own, which is never run; use one that transformers knows"
GGUF = "it is a GGUF file, which is served and not trained; register the safetensors model it was made from to tune it"


async def describe(hub: Hub, source: registry_service_pb2.HubSource) -> base_model_pb2.BaseModel:
    """A base model of what the request says and, unless it brings a configuration, of what the hub answers.

    Raises Refused for what may not be taken. What a hub that can't be reached or a missing credential leaves open stays
    unset, and `profile_error` says where to see it.
    """
    if source.configuration_json:
        model = _of_text(source.configuration_json)
    else:
        model = await _ask(hub, source)
    model.hub_repo = source.repo
    model.revision = source.revision
    model.cache_status = base_model_pb2.CACHE_STATUS_NOT_CACHED
    model.private = model.private or source.private
    model.credential_id = source.credential_id
    if source.HasField("has_chat_template"):
        model.has_chat_template = source.has_chat_template
    if source.HasField("download_bytes"):
        model.download_bytes = source.download_bytes
    return model


def _of_text(text: str) -> base_model_pb2.BaseModel:
    config = read_configuration(text.encode(), may_name_code=True)
    model = of_configuration(config, text)
    model.trainable = model.servable = not names_code(config)
    model.trainable = model.trainable and not model.quantized
    model.profile_status = base_model_pb2.PROFILE_STATUS_PENDING
    if names_code(config):
        model.profile_status, model.profile_error = base_model_pb2.PROFILE_STATUS_FAILED, OWN_CODE
    return model


async def _ask(hub: Hub, source: registry_service_pb2.HubSource) -> base_model_pb2.BaseModel:
    try:
        repository = await hub.look(source.repo, source.revision, source.credential_id)
    except (HubUnreachable, NeedsCredential) as error:
        if isinstance(error, NeedsCredential) and not source.private:
            # Nobody said that it is private: more likely the name is misspelt.
            raise
        return _unknown(hub, source.repo, error)
    if is_gguf_only(repository.names):
        model = base_model_pb2.BaseModel(gguf=True, servable=True, modality=base_model_pb2.MODALITY_TEXT)
        model.profile_status, model.profile_error = base_model_pb2.PROFILE_STATUS_FAILED, GGUF
    else:
        small_files(repository.names)
        refuse_without_safetensors(repository.names)
        model = await _of_files(hub, repository, source.credential_id)
    model.private = repository.is_private
    model.license = repository.license
    if repository.download_bytes is not None and not model.gguf:
        model.download_bytes = repository.download_bytes
    return model


async def _of_files(hub: Hub, repository: HubRepository, credential_id: str) -> base_model_pb2.BaseModel:
    async def read(name: str) -> bytes:
        return await hub.read(repository, name, credential_id, MAX_JSON_BYTES)

    try:
        data = await read(CONFIG)
        there = [name for name in (TOKENIZER_CONFIG, CHAT_TEMPLATE) if name in repository.files]
        texts = {name: await read(name) for name in there}
    except (HubUnreachable, NeedsCredential) as error:
        return _unknown(hub, repository.repo, error)
    config = read_configuration(data)
    model = of_configuration(config, data.decode())
    template = texts[CHAT_TEMPLATE].decode(errors="replace") if CHAT_TEMPLATE in texts else None
    settings = parse_json(TOKENIZER_CONFIG, texts[TOKENIZER_CONFIG]) if TOKENIZER_CONFIG in texts else {}
    model.tokenizer, model.chat_template = tokenizer_of(repository.names, settings, template)
    model.has_chat_template = bool(model.chat_template)
    sees_only = model.modality == base_model_pb2.MODALITY_VISION
    model.servable = bool(model.tokenizer) or sees_only
    model.trainable = model.servable and not model.quantized
    if len(data.decode()) > MAX_CONFIGURATION_CHARACTERS:
        model.profile_status = base_model_pb2.PROFILE_STATUS_FAILED
        model.profile_error = f"its {CONFIG} is longer than {MAX_CONFIGURATION_CHARACTERS} characters; estimates of it are rough"
    else:
        model.profile_status = base_model_pb2.PROFILE_STATUS_PENDING
    return model


def _unknown(hub: Hub, repo: str, error: Exception) -> base_model_pb2.BaseModel:
    """A model of which only the name is known: jobs may name it, and find out more where they run."""
    return base_model_pb2.BaseModel(
        trainable=True,
        servable=True,
        profile_status=base_model_pb2.PROFILE_STATUS_FAILED,
        profile_error=(
            f"its configuration was not read, so its sizes are unknown: {error}. {hub.page(repo)} describes it; downloading the "
            "model (:download) reads it"
        ),
    )
