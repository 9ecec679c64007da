"""What JSON bodies the contract allows, as the Lua tables that gateway/json_body.lua reads its answers from."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor

# A body of this type is bytes that stream through; reading it into memory would undo that.
_RAW_BODY = "google.api.HttpBody"
# Their JSON form is not their fields': a time is a string, a Struct any object.
_OPAQUE = "google.protobuf."
# A message's fields under both their JSON names.
Fields = dict[str, dict[str, str]]
_LUA_MAGIC = re.compile(r"([\^$()%.\[\]*+\-?])")


def lua_tables(image: Path, services: list[str]) -> str:
    """The assignments to put above the script: `calls`, `messages` and `enums` of what these services take as JSON."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    calls: list[dict[str, str]] = []
    messages: dict[str, Fields] = {}
    enums: dict[str, dict[str, object]] = {}
    for service in services:
        for method in pool.FindServiceByName(service).methods:
            for verb, template, body in _json_calls(method):
                calls.append({"method": verb, "path": _lua_pattern(template), "message": body.full_name})
                _collect(body, messages, enums)
    tables = {"calls": calls, "messages": messages, "enums": enums}
    return "".join(f"local {name} = {_lua(value)}\n" for name, value in tables.items())


def _json_calls(method: MethodDescriptor) -> Iterator[tuple[str, str, Descriptor]]:
    """Verb, path template and body message of each HTTP binding that takes a JSON body."""
    options = descriptor_pb2.MethodOptions.FromString(method.GetOptions().SerializeToString())
    rule = options.Extensions[annotations_pb2.http]
    for binding in (rule, *rule.additional_bindings):
        verb = binding.WhichOneof("pattern")
        if not verb or not binding.body:
            continue
        body = _body_message(method.input_type, binding)
        if body and body.full_name != _RAW_BODY:
            yield verb.upper(), getattr(binding, verb), body


def _body_message(request: Descriptor, binding: http_pb2.HttpRule) -> Descriptor | None:
    return request if binding.body == "*" else request.fields_by_name[binding.body].message_type


def _lua_pattern(template: str) -> str:
    """`/v1/jobs/{id}:cancel` as a Lua pattern. A variable is one segment, or as many as its own pattern says."""

    def part(text: str) -> str:
        if not text.startswith("{"):
            return _LUA_MAGIC.sub(r"%\1", text)
        shape = text.strip("{}").partition("=")[2] or "*"
        return shape.replace("**", ".+").replace("*", "[^/]+")

    return "^" + "".join(part(text) for text in re.findall(r"\{[^}]*\}|[^{]+", template)) + "$"


def _collect(message: Descriptor, messages: dict[str, Fields], enums: dict[str, dict[str, object]]) -> None:
    """Add a message and all it reaches, by full name."""
    if message.full_name in messages:
        return
    fields: Fields = {}
    messages[message.full_name] = fields
    for field in message.fields:
        entry = {"name": field.name} | _kind(field, messages, enums)
        fields[field.name] = fields[field.json_name] = entry


def _kind(field: FieldDescriptor, messages: dict[str, Fields], enums: dict[str, dict[str, object]]) -> dict[str, str]:
    """What a field's value is checked against; nothing for scalars and for what has a JSON form of its own."""
    if field.enum_type and not field.enum_type.full_name.startswith(_OPAQUE):
        enums[field.enum_type.full_name] = _enum(field.enum_type)
        return {"kind": field.enum_type.full_name}
    inner = field.message_type
    if inner and not inner.full_name.startswith(_OPAQUE) and not inner.GetOptions().map_entry:
        _collect(inner, messages, enums)
        return {"kind": inner.full_name}
    return {}


def _enum(enum: EnumDescriptor) -> dict[str, object]:
    # The zero value is what unset means; naming it as a choice would mislead.
    shown = ", ".join(value.name for value in enum.values if value.number != 0)
    return {"values": {value.name: True for value in enum.values}, "shown": shown}


def _lua(value: object) -> str:
    """A Lua literal. JSON's strings are Lua's as long as they are plain, and names in a contract are."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{json.dumps(key)}] = {_lua(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(_lua(inner) for inner in value) + "}"
    return json.dumps(value)
