"""`apply_fixes`, by the golden cases that the TypeScript client is held to as well."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from tunesmith import InvalidArgument, apply_fixes
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1.finding_pb2 import Finding

CASES = json.loads((Path(__file__).parents[2] / "golden_fixes/fixes.json").read_text())
# A list that silently shrinks still passes; TypeScript's test has the same number.
CASE_COUNT = 16


def finding(value: dict[str, Any]) -> Finding:
    return ParseDict(value, Finding())


def test_none_got_lost() -> None:
    assert len(CASES) == CASE_COUNT


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_golden_fix(case: dict[str, Any]) -> None:
    given = ParseDict(case["configuration"], JobConfiguration())
    before = JobConfiguration()
    before.CopyFrom(given)
    fixed = apply_fixes(given, [finding(one) for one in case["findings"]])
    assert MessageToDict(fixed, preserving_proto_field_name=True) == case["expected"]
    assert given == before


@pytest.mark.parametrize(
    ("field_path", "value"),
    [("schedule.no_such_field", 1), ("method.type", "TRAINING_METHOD_UNHEARD_OF"), ("schedule.epochs", "three")],
)
def test_a_fix_of_another_version_is_refused(field_path: str, value: object) -> None:
    with pytest.raises(InvalidArgument):
        apply_fixes(JobConfiguration(), [finding({"fix": {"edits": [{"field_path": field_path, "value": value}]}})])
