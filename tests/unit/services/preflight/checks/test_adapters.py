"""Adapters beside a base model: whether they are its own, complete, and can be added up."""

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR
from tunesmith.registry.v1.adapter_pb2 import Adapter, AdapterWeight

from tests.unit.services.preflight.known import PICO, codes, report


def adapter(**fields: object) -> tuple[AdapterWeight, Adapter]:
    values = {
        "id": "a",
        "display_name": "math",
        "base_model_id": "pico",
        "type": "ADAPTER_TYPE_LORA",
        "rank": 8,
        "status": "ADAPTER_STATUS_READY",
        **fields,
    }
    return AdapterWeight(adapter_id=str(values["id"])), ParseDict(values, Adapter())


def about(*adapters: tuple[AdapterWeight, Adapter]) -> list[str]:
    return [code for code in codes(report(model=PICO, adapters=adapters), SEVERITY_ERROR) if code.startswith("ADAPTER")]


UNFIT = {
    "ADAPTER_BASE_DIFFERS": {"base_model_id": "another"},
    "ADAPTER_NOT_READY": {"status": "ADAPTER_STATUS_FAILED", "error": "a file is missing"},
    "ADAPTER_RANK_TOO_LARGE": {"rank": 192},
}


@pytest.mark.parametrize("code", UNFIT)
def test_an_adapter_that_does_not_fit(code: str) -> None:
    assert about(adapter(**UNFIT[code])) == [code]


def test_adapters_that_can_be_added_up() -> None:
    assert about(adapter(), adapter(id="b", display_name="code")) == []


def test_a_soft_prompt_can_be_used_alone_only() -> None:
    prompt = adapter(id="b", type="ADAPTER_TYPE_PROMPT", rank=0)
    assert about(prompt) == []
    assert about(adapter(), prompt) == ["ADAPTERS_NOT_COMPOSABLE"]


def test_an_adapter_is_named_once() -> None:
    assert about(adapter(), adapter()) == ["ADAPTER_REPEATED"]
