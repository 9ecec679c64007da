"""Which models' rows can be packed without seeing each other, by what config.json says."""

from collections.abc import Mapping
from typing import Any

# What a layer may look at when rows share a sequence: tokens of its own row, all of them or the last ones.
_ROW_BY_ROW = {"full_attention", "sliding_attention"}
_INSTEAD = "use LENGTH_GROUPING"


def packing_refusal(configuration: Mapping[str, Any]) -> str | None:
    """Why rows of such a model are not packed, with what to do instead; None if nothing speaks against it."""
    text = configuration.get("text_config") or configuration
    if text.get("attn_logit_softcapping"):
        return f"its attention caps its scores, which torch's attention can't do for row after row; {_INSTEAD}"
    others = sorted(set(text.get("layer_types") or ()) - _ROW_BY_ROW)
    if others:
        return f"it has layers of {', '.join(others)}, which carry what they read from one row into the next; {_INSTEAD}"
    return None
