"""Adds the base models of base_models.json to a registry: what their publishers say of them, without a download and without
asking the hub.
"""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from tunesmith.client.blocking import Tunesmith
from tunesmith.client.errors import AlreadyExists
from tunesmith.client.paging import gather

FILE = Path(__file__).with_name("base_models.json")
# The database's clock ticks in milliseconds.
_CLOCK_S = 0.01

Entry = dict[str, Any]


def entries() -> list[Entry]:
    """The base models, those that people begin with first."""
    return list(json.loads(FILE.read_text(encoding="utf-8")))


def seed_base_models(client: Tunesmith) -> list[str]:
    """Register the base models that are not there, the first of the catalogue last, so that a list shows it first; answers their
    names. What is there stays as people have made it, and what they took off the list stays off it.
    """
    there = {model.hub_repo for model in gather(client.registry.list_base_models).base_models}
    missing = [entry for entry in reversed(entries()) if entry["repo"] not in there]
    return [entry["repo"] for entry in missing if _register(client, request_of(entry))]


def request_of(entry: Entry) -> dict[str, Any]:
    """What registers a base model, with a name made of what it says: the same happens once, a newer catalogue's is another."""
    hub = {
        "repo": entry["repo"],
        "private": entry["private"],
        "configuration_json": json.dumps(entry["configuration"], indent=2),
        "has_chat_template": entry["has_chat_template"],
        "download_bytes": entry["download_bytes"],
    }
    request = {"hub": hub, **{name: entry.get(name) for name in ("display_name", "stage", "lifecycle", "license")}}
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    return {**request, "request_id": f"catalog-{digest[:32]}"}


def _register(client: Tunesmith, request: dict[str, Any]) -> bool:
    """Whether it was registered now, and not by somebody else, or earlier and taken off the list since."""
    begin = time.time() - _CLOCK_S
    try:
        made = client.registry.create_base_model(**request).base_model
    except AlreadyExists:
        return False
    return made.create_time.ToNanoseconds() >= begin * 1e9
