"""Weights that are not here yet: the first job waits for them."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding
from tunesmith.registry.v1 import base_model_pb2

from services.preflight import words
from services.preflight.facts import Facts
from services.preflight.findings import note, warning

LARGE_BYTES = 1024**3


def check(facts: Facts) -> Iterator[Finding]:
    """MODEL_NOT_CACHED: a warning from 1 GiB on, a note below."""
    model = facts.base_model
    if model is None or model.cache_status in (base_model_pb2.CACHE_STATUS_CACHED, base_model_pb2.CACHE_STATUS_UNSPECIFIED):
        return
    size = f"{words.size(model.download_bytes)} " if model.download_bytes else ""
    seconds = model.estimated_download_seconds
    duration = f", about {words.duration(seconds)}" if seconds else ""
    if model.cache_status == base_model_pb2.CACHE_STATUS_DOWNLOADING:
        text = f"{model.display_name} is being downloaded ({size.strip() or 'size unknown'}{duration}); the job waits for it"
        yield note("MODEL_NOT_CACHED", "model.base_model", text)
        return
    text = (
        f"{model.display_name} is not in the registry: the first job downloads {size or 'it '}before it trains{duration}; "
        f"POST /v1/base-models/{model.id}:download fetches it now"
    )
    say = warning if model.download_bytes > LARGE_BYTES else note
    yield say("MODEL_NOT_CACHED", "model.base_model", text)
