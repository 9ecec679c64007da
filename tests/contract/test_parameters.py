"""ListParameters says what the descriptors say, and nothing that they do not."""

import pytest
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.options.v1 import field_pb2
from tunesmith.parameter.v1 import parameter_pb2

from services.chassis.knobs import KnobField, walk
from services.parameter.usecases import parameters

KNOBS = list(walk(JobConfiguration.DESCRIPTOR))
PARAMETERS = {parameter.field_path: parameter for parameter in parameters()}


def test_every_knob_once_and_in_the_order_of_the_form() -> None:
    assert len(KNOBS) == 69
    assert [parameter.field_path for parameter in parameters()] == [knob.path for knob in KNOBS]


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.path)
def test_a_parameter_is_its_knob(knob: KnobField) -> None:
    parameter = PARAMETERS[knob.path]
    for name in ("label", "help", "unit", "scale", "widget", "default_value", "recommended"):
        assert getattr(parameter, name) == getattr(knob.knob, name), name
    for name in ("default_value", "recommended"):
        assert parameter.HasField(name) == knob.knob.HasField(name)
    assert parameter.required == knob.rules.required
    assert parameter.repeated == knob.field.is_repeated


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.path)
def test_a_range_is_its_rules(knob: KnobField) -> None:
    kind = knob.rules.WhichOneof("type")
    found = PARAMETERS[knob.path]
    if kind not in ("int32", "double"):
        assert not found.HasField("range")
        return
    rules = getattr(knob.rules, kind)
    assert found.type == (parameter_pb2.PARAMETER_TYPE_INTEGER if kind == "int32" else parameter_pb2.PARAMETER_TYPE_NUMBER)
    assert found.range.max == rules.lte
    assert not found.range.max_exclusive
    assert found.range.min == (rules.gt if rules.HasField("gt") else rules.gte)
    assert found.range.min_exclusive == rules.HasField("gt")


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.path)
def test_choices_are_the_enum_s_values(knob: KnobField) -> None:
    found = [(choice.value, choice.label, choice.help) for choice in PARAMETERS[knob.path].choices]
    enum = knob.field.enum_type
    values = [value for value in enum.values if value.number != 0] if enum else []
    options = [value.GetOptions().Extensions[field_pb2.choice] for value in values]
    assert found == [(value.name, option.label, option.help) for value, option in zip(values, options, strict=True)]
