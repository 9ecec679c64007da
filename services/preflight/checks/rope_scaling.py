"""Positions that are to be stretched, of a model that has none that stretch."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding

from services.preflight.facts import Facts
from services.preflight.findings import error, fix, remove
from workers.providers.local.model import WITHOUT_ROTARY_POSITIONS

PATH = "model.rope_scaling"


def check(facts: Facts) -> Iterator[Finding]:
    """POSITIONS_NOT_ROTARY. Only of families that are known to have none: the worker finds out about the others."""
    model = facts.base_model
    if model is None or not facts.configuration.model.HasField("rope_scaling") or model.family not in WITHOUT_ROTARY_POSITIONS:
        return
    text = (
        f"{model.display_name} is of the family {model.family}, which has no rotary positions that could be stretched; "
        f"remove {PATH}, or choose another model"
    )
    yield error("POSITIONS_NOT_ROTARY", PATH, text, fix("Leave positions as they are", remove(PATH)))
