"""Knobs of a JobConfiguration as parameters."""

from functools import cache

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tunesmith.config.v1 import job_configuration_pb2
from tunesmith.options.v1 import field_pb2
from tunesmith.parameter.v1 import parameter_pb2

from services.chassis.knobs import AnyFieldDescriptor, AnyMessageDescriptor, KnobField, walk

_TYPES = {
    FieldDescriptor.CPPTYPE_INT32: parameter_pb2.PARAMETER_TYPE_INTEGER,
    FieldDescriptor.CPPTYPE_INT64: parameter_pb2.PARAMETER_TYPE_INTEGER,
    FieldDescriptor.CPPTYPE_DOUBLE: parameter_pb2.PARAMETER_TYPE_NUMBER,
    FieldDescriptor.CPPTYPE_STRING: parameter_pb2.PARAMETER_TYPE_STRING,
    FieldDescriptor.CPPTYPE_BOOL: parameter_pb2.PARAMETER_TYPE_BOOLEAN,
    FieldDescriptor.CPPTYPE_ENUM: parameter_pb2.PARAMETER_TYPE_ENUM,
    FieldDescriptor.CPPTYPE_MESSAGE: parameter_pb2.PARAMETER_TYPE_STRUCT,
}


@cache
def parameters() -> tuple[parameter_pb2.Parameter, ...]:
    """Every knob of a JobConfiguration, in the order of the form."""
    descriptor: AnyMessageDescriptor = job_configuration_pb2.JobConfiguration.DESCRIPTOR
    return tuple(_parameter(knob_field) for knob_field in walk(descriptor))


def hard_range(rules: validate_pb2.FieldRules) -> parameter_pb2.HardRange | None:
    """The bounds that a field's rules set; None for a field without any."""
    kind = rules.WhichOneof("type")
    bounds: Message | None = getattr(rules, kind) if kind in ("int32", "int64", "double") else None
    if bounds is None:
        return None
    message = parameter_pb2.HardRange()
    lower, upper = bounds.WhichOneof("greater_than"), bounds.WhichOneof("less_than")
    if lower:
        message.min, message.min_exclusive = getattr(bounds, lower), lower == "gt"
    if upper:
        message.max, message.max_exclusive = getattr(bounds, upper), upper == "lt"
    return message if lower or upper else None


def _parameter(knob_field: KnobField) -> parameter_pb2.Parameter:
    field, knob = knob_field.field, knob_field.knob
    message = parameter_pb2.Parameter(
        field_path=knob_field.path,
        label=knob.label,
        help=knob.help,
        unit=knob.unit,
        type=_TYPES[field.cpp_type],
        required=knob_field.rules.required,
        repeated=field.is_repeated,
        range=hard_range(knob_field.rules),
        scale=knob.scale,
        widget=knob.widget,
        choices=_choices(field),
    )
    for name in ("recommended", "default_value"):
        if knob.HasField(name):
            getattr(message, name).CopyFrom(getattr(knob, name))
    return message


def _choices(field: AnyFieldDescriptor) -> list[parameter_pb2.ParameterChoice]:
    if field.enum_type is None:
        return []
    choices = []
    for value in field.enum_type.values:
        if value.number != 0:
            choice = value.GetOptions().Extensions[field_pb2.choice]
            choices.append(parameter_pb2.ParameterChoice(value=value.name, label=choice.label, help=choice.help))
    return choices
