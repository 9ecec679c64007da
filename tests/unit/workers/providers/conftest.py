"""A small job for `local`, as a person submits it and as the server resolves it."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration

from services.chassis.knobs import resolve_defaults

Submit = Callable[[dict[str, Any]], tuple[JobConfiguration, JobConfiguration]]


@pytest.fixture
def submit() -> Submit:
    """(as submitted, resolved) of a small LoRA job with settings merged over it."""

    def make(over: dict[str, Any]) -> tuple[JobConfiguration, JobConfiguration]:
        base: dict[str, Any] = {
            "model": {"base_model": "pico"},
            "datasets": {"training_file_id": "rows"},
            "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {}},
        }
        submitted = ParseDict(merged(base, over), JobConfiguration())
        resolved = JobConfiguration()
        resolved.CopyFrom(submitted)
        resolve_defaults(resolved)
        return submitted, resolved

    return make


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`, section by section; None takes a key away."""
    result = dict(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result
