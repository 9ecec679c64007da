"""The golden configurations: what this server's validator says is what the files say, and the files leave no rule out."""

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.json_format import MessageToDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration

from services.chassis.errors import InvalidArgument
from services.chassis.knobs import KnobField, walk
from services.chassis.validation import check
from tests.contract.golden_cases import GoldenCase, golden_cases

# gateway/sdk/typescript/test/golden.test.ts has the same number: a list that silently shrinks still passes.
CASE_COUNT = 360
NUMERIC_KNOB_COUNT = 31
CEL_RULE_COUNT = 19
CASES = golden_cases()
KNOBS = list(walk(JobConfiguration.DESCRIPTOR))


def test_no_case_got_lost() -> None:
    assert len(CASES) == CASE_COUNT
    assert len({case.name for case in CASES}) == CASE_COUNT


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_validator_says_what_the_file_says(case: GoldenCase) -> None:
    assert sorted(_violations(case)) == sorted(case.violations)


def test_a_number_that_no_enum_has_is_said_in_one_way() -> None:
    said = {text for case in CASES for _, rule, text in case.violations if rule.startswith("enum.")}
    assert len(said) == 7
    assert all(re.fullmatch(r"\d+ is no value of this enum; GET /v1/parameters lists them", text) for text in said)


def test_every_bound_of_every_number_is_tried_on_both_sides() -> None:
    numeric = [knob for knob in KNOBS if knob.rules.WhichOneof("type") in ("int32", "double")]
    assert len(numeric) == NUMERIC_KNOB_COUNT
    missing = [f"{knob.path}: {gap}" for knob in numeric for gap in _untried_bounds(knob)]
    assert missing == []


def test_every_double_is_tried_with_what_is_no_number() -> None:
    doubles = [knob.path for knob in KNOBS if knob.rules.WhichOneof("type") == "double"]
    assert len(doubles) == 14
    for path in doubles:
        refused = [value for value, violated in _tried(path) if violated]
        assert any(math.isnan(value) for value in refused), path
        assert {math.inf, -math.inf} <= set(refused), path


def test_every_enum_is_tried_with_an_unknown_number_and_unspecified() -> None:
    enums = [knob.path for knob in KNOBS if knob.field.enum_type is not None]
    assert len(enums) == 10
    for path in enums:
        rules = {rule for case in CASES for at, rule, _ in case.violations if at.partition("[")[0] == path}
        assert {"enum.defined_only", "enum.not_in"} <= rules, path


def test_every_rule_of_strings_lists_and_presence_is_violated_somewhere() -> None:
    expected = {(knob.path, rule) for knob in KNOBS for rule in _plain_rules(knob.rules)}
    assert len(expected) == 48
    assert expected - {(path, rule) for case in CASES for path, rule, _ in case.violations} == set()


def test_every_cross_field_rule_is_violated_somewhere() -> None:
    ids = set(_cel_ids(JobConfiguration.DESCRIPTOR))
    assert len(ids) == CEL_RULE_COUNT
    assert ids - {rule for case in CASES for _, rule, _ in case.violations} == set()


def _violations(case: GoldenCase) -> list[tuple[str, str, str]]:
    try:
        check(case.message())
    except InvalidArgument as error:
        return [(path, rule, text) for (path, text), rule in zip(error.violations, error.rule_ids, strict=True)]
    return []


def _tried(path: str) -> Iterator[tuple[Any, bool]]:
    """Every value that a case has at a path, and whether it is refused there."""
    *parents, name = path.split(".")
    for case in CASES:
        message = case.message()
        for parent in parents:
            message = getattr(message, parent)
        if message.HasField(name):
            yield getattr(message, name), any(at == path for at, _, _ in case.violations)


def _untried_bounds(knob: KnobField) -> Iterator[str]:
    rules = getattr(knob.rules, str(knob.rules.WhichOneof("type")))
    tried = list(_tried(knob.path))
    taken = {value for value, violated in tried if not violated}
    refused = {value for value, violated in tried if violated and math.isfinite(value)}
    exclusive = rules.HasField("gt")
    low, high = rules.gt if exclusive else rules.gte, rules.lte
    if exclusive and (low not in refused or math.nextafter(low, high) not in taken):
        yield f"{low} is not refused, or the next number not taken"
    if not exclusive and low not in taken:
        yield f"{low} is not taken"
    if not any(value < low for value in refused):
        yield f"nothing below {low} is refused"
    if high not in taken:
        yield f"{high} is not taken"
    # The largest 32-bit number is a bound that JSON itself can't pass.
    if high != 2**31 - 1 and not any(value > high for value in refused):
        yield f"nothing above {high} is refused"


def _plain_rules(rules: validate_pb2.FieldRules) -> Iterator[str]:
    if rules.required:
        yield "required"
    kind = rules.WhichOneof("type")
    if kind in ("string", "repeated"):
        yield from (
            f"{kind}.{name}" for name in MessageToDict(getattr(rules, kind), preserving_proto_field_name=True) if name != "items"
        )


def _cel_ids(descriptor: Descriptor) -> Iterator[str]:
    yield from (rule.id for rule in descriptor.GetOptions().Extensions[validate_pb2.message].cel)
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.file.package == descriptor.file.package:
            yield from _cel_ids(field.message_type)
