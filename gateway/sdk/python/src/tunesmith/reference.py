"""What is said of a knob for people to read, and the page that says it of all of them."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from tunesmith.options.v1 import field_pb2
from tunesmith.parameter.v1 import parameter_pb2

_HEAD = """# Parameters

Every field of a job's configuration: what it takes, what it is when it is left out, and where results are usually good. A value
outside of a range is refused before anything runs. Generated from the protos; `tunesmith parameters` lists the same of a server.
"""


def page(parameters: Iterable[parameter_pb2.Parameter]) -> str:
    """The reference of these knobs, as Markdown: a section a part of the configuration, in the order of the form."""
    sections = groupby(parameters, key=lambda parameter: parameter.field_path.rpartition(".")[0])
    return "\n".join([_HEAD, *(line for section, knobs in sections for line in _section(section, knobs))])


def takes(parameter: parameter_pb2.Parameter) -> str:
    """What a knob takes: its range, its values, or its type."""
    if parameter.choices:
        one = " | ".join(choice.value for choice in parameter.choices)
        return f"list of {one}" if parameter.repeated else one
    return bounds(parameter) or kind(parameter)


def kind(parameter: parameter_pb2.Parameter) -> str:
    """The type of a knob: `integer`, `list of string`."""
    name = parameter_pb2.ParameterType.Name(parameter.type).removeprefix("PARAMETER_TYPE_").lower()
    return f"list of {name}" if parameter.repeated else name


def bounds(parameter: parameter_pb2.Parameter) -> str:
    """`above 0 to 1`, `1 to 20 epochs`; empty for a knob without a range."""
    if not parameter.HasField("range"):
        return ""
    span = parameter.range
    low = f"{'above ' if span.min_exclusive else ''}{span.min:.10g}" if span.HasField("min") else "any"
    high = f"{'below ' if span.max_exclusive else ''}{span.max:.10g}" if span.HasField("max") else "any"
    return f"{low} to {high}{f' {parameter.unit}' if parameter.unit else ''}"


def default(parameter: parameter_pb2.Parameter) -> str:
    """What the server fills in; empty if it stays unset."""
    value: field_pb2.KnobValue = parameter.default_value
    which = value.WhichOneof("kind")
    if which == "number":
        return f"{value.number:.10g}"
    return str(value.flag).lower() if which == "flag" else value.text


def recommended(parameter: parameter_pb2.Parameter) -> str:
    """Where results are usually good; empty where nothing is recommended."""
    if not parameter.HasField("recommended"):
        return ""
    return f"{parameter.recommended.min:.10g} to {parameter.recommended.max:.10g}"


def _section(section: str, knobs: Iterable[parameter_pb2.Parameter]) -> Iterator[str]:
    yield f"## {section}\n"
    for knob in knobs:
        yield from _knob(knob)


def _knob(knob: parameter_pb2.Parameter) -> Iterator[str]:
    yield f"### {knob.label or knob.field_path.rpartition('.')[2]}\n"
    yield f"`{knob.field_path}`{' (required)' if knob.required else ''}\n"
    if knob.help:
        yield f"{_text(knob.help)}\n"
    facts = {
        "type": kind(knob),
        "range": bounds(knob),
        "unit": knob.unit,
        "recommended": recommended(knob),
        "default": f"`{default(knob)}`" if default(knob) else "none",
    }
    yield "\n".join(f"- {label}: {value}" for label, value in facts.items() if value) + "\n"
    if knob.choices:
        rows = [f"| `{one.value}` | {_cell(one.label)} | {_cell(one.help)} |" for one in knob.choices]
        yield "\n".join(["| value | | when |", "|---|---|---|", *rows]) + "\n"


def _text(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;")


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")
