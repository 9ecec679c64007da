"""The tables that the gateway checks JSON bodies by."""

import re

from supervisor.envoy import DESCRIPTORS, PUBLIC_SERVICES
from supervisor.json_bodies import lua_tables

TABLES = lua_tables(DESCRIPTORS, PUBLIC_SERVICES)


def test_every_call_with_a_json_body_is_there() -> None:
    calls = TABLES.splitlines()[0]
    found = set(re.findall(r'\["path"\] = "([^"]*)", \["message"\] = "([^"]*)"', calls))
    assert ("^/v1/jobs$", "tunesmith.job.v1.CreateJobRequest") in found
    assert ("^/v1/jobs/[^/]+:cancel$", "tunesmith.job.v1.CancelJobRequest") in found
    assert ("^/v1/base%-models$", "tunesmith.registry.v1.CreateBaseModelRequest") in found
    assert len(found) == calls.count('["path"]') >= 3


def test_a_raw_body_is_not_read() -> None:
    assert "datasets:upload" not in TABLES
    assert "UploadDatasetRequest" not in TABLES


def test_a_field_has_both_its_names() -> None:
    for name in ("learning_rate", "learningRate"):
        assert f'["{name}"] = {{["name"] = "learning_rate"}}' in TABLES


def test_what_may_hold_anything_is_not_looked_into() -> None:
    assert '["metadata"] = {["name"] = "metadata"}' in TABLES
    assert "google.protobuf" not in TABLES


def test_an_enum_shows_the_values_one_may_send() -> None:
    shown = re.search(r'\["tunesmith.config.v1.TrainingMethod"\] = \{\["values"\] = \{[^}]*\}, \["shown"\] = "([^"]*)"', TABLES)
    assert shown
    assert "TRAINING_METHOD_LORA" in shown[1].split(", ")
    assert "TRAINING_METHOD_UNSPECIFIED" not in shown[1]
