"""A private repository that nobody has given a credential for."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding
from tunesmith.registry.v1 import base_model_pb2

from services.preflight.facts import Facts
from services.preflight.findings import error


def check(facts: Facts) -> Iterator[Finding]:
    """PRIVATE_MODEL_NEEDS_CREDENTIAL."""
    model = facts.base_model
    if model is None or not model.private or model.credential_id:
        return
    if model.cache_status == base_model_pb2.CACHE_STATUS_CACHED:
        # It is here already: nobody asks the hub.
        return
    text = (
        f"{model.display_name} is private, and no credential is named for it; PATCH /v1/base-models/{model.id} with "
        "credential_id, the environment variable of the server that holds its token, such as HF_TOKEN"
    )
    yield error("PRIVATE_MODEL_NEEDS_CREDENTIAL", "model.base_model", text)
