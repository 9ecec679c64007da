"""Rows that are to be packed, of a model whose layers would carry what they read from one row into the next."""

import json
from collections.abc import Iterator

from google.protobuf.json_format import MessageToDict
from tunesmith.config.v1 import optimizations_pb2
from tunesmith.preflight.v1.finding_pb2 import Finding

from services.preflight.facts import Facts
from services.preflight.findings import error, fix, put
from workers.providers.local.packing import packing_refusal
from workers.providers.local.provider import PROVIDER_ID

PATH = "optimizations.enabled"
_PACKING = "OPTIMIZATION_FEATURE_SEQUENCE_PACKING"
_GROUPING = "OPTIMIZATION_FEATURE_LENGTH_GROUPING"


def check(facts: Facts) -> Iterator[Finding]:
    """ROWS_NOT_PACKABLE."""
    model, enabled = facts.base_model, facts.configuration.optimizations.enabled
    asked = optimizations_pb2.OPTIMIZATION_FEATURE_SEQUENCE_PACKING in enabled
    if not asked or model is None or not model.configuration_json or facts.provider_id != PROVIDER_ID:
        return
    refusal = packing_refusal(json.loads(model.configuration_json))
    if refusal is None:
        return
    names = MessageToDict(facts.configuration.optimizations).get("enabled", [])
    kept = list(dict.fromkeys(_GROUPING if name == _PACKING else name for name in names))
    text = f"rows of {model.display_name} can't be packed: {refusal} instead of SEQUENCE_PACKING"
    yield error("ROWS_NOT_PACKABLE", PATH, text, fix("Group rows by length instead", put(PATH, kept)))
