"""Writes the Python client out of the descriptors: `python protos/generate_client.py IMAGE FOLDER`.

Each public service becomes a class with a method a call, once for callers that wait and once for an event loop. Both come out of
one template. What a method takes, what it answers and what its docstring says is the proto's.
"""

import keyword
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2

OUT = "tunesmith/client/_generated.py"
# The agents' door is no business of a client.
PRIVATE = ("tunesmith.worker.",)
REQUEST_ID = "request_id"
WIDTH = 110
# A field's comment is quoted if it is short; the proto has the long ones.
LONGEST_ARGUMENT = 240
_SERVICE, _MESSAGE = 6, 4
_Field = descriptor_pb2.FieldDescriptorProto
_Method = descriptor_pb2.MethodDescriptorProto

SCALARS = {
    _Field.TYPE_DOUBLE: "float",
    _Field.TYPE_FLOAT: "float",
    _Field.TYPE_INT64: "int",
    _Field.TYPE_UINT64: "int",
    _Field.TYPE_INT32: "int",
    _Field.TYPE_UINT32: "int",
    _Field.TYPE_BOOL: "bool",
    _Field.TYPE_STRING: "str",
}

HEAD = '''"""The public services of Tunesmith. Generated from protos/ by `make protos`; never edited."""

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Any

from tunesmith.client.calls import DEADLINE_S, AsyncService, AsyncStream, Service, Stream, new_request_id
from tunesmith.client.requests import request_of
{imports}

# Every public service, by its descriptor.
SERVICES = ({services})
'''

CLASS = """

class {prefix}{name}({prefix}Service):
    {doc}

    def __init__(self, channel: Any, server: str) -> None:
        super().__init__(channel, server, {grpc_module}.{name}Stub)
"""

UNARY = """
    {async_}def {method}({parameters}) -> {answer}:
        {doc}
        request = request_of({fields})
        answer: {answer} = {await_}self._answer(self._stub.{rpc}, request, timeout)
        return answer
"""

SERVER_STREAM = """
    def {method}({parameters}) -> {prefix}Stream[{answer}]:
        {doc}
        request = request_of({fields})
        return self._stream(self._stub.{rpc}, request, timeout)
"""

CLIENT_STREAM = """
    {async_}def {method}(self, requests: {iterables}, *, timeout: float | None = None) -> {answer}:
        {doc}
        answer: {answer} = {await_}self._answer(self._stub.{rpc}, requests, timeout)
        return answer
"""


@dataclass
class Contract:
    """Every message, enum and comment of an image, by full name."""

    messages: dict[str, descriptor_pb2.DescriptorProto] = field(default_factory=dict)
    # What a map's field is to the wire: a list of these.
    map_entries: dict[str, descriptor_pb2.DescriptorProto] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    services: list[tuple[str, descriptor_pb2.ServiceDescriptorProto]] = field(default_factory=list)

    @classmethod
    def read(cls, image: descriptor_pb2.FileDescriptorSet) -> "Contract":
        """What an image holds."""
        contract = cls()
        for file in image.file:
            contract._add(file)
        return contract

    def _add(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        comments = {tuple(location.path): location.leading_comments for location in file.source_code_info.location}
        for index, message in enumerate(file.message_type):
            name = f"{file.package}.{message.name}"
            self.messages[name], self.modules[name] = message, file.name
            self.map_entries |= {f"{name}.{inner.name}": inner for inner in message.nested_type if inner.options.map_entry}
            for number, one in enumerate(message.field):
                self.comments[f"{name}.{one.name}"] = _flowing(comments.get((_MESSAGE, index, 2, number), ""))
        for enum in file.enum_type:
            self.modules[f"{file.package}.{enum.name}"] = file.name
        for index, service in enumerate(file.service):
            name = f"{file.package}.{service.name}"
            self.modules[name] = file.name
            self.comments[name] = _flowing(comments.get((_SERVICE, index), ""))
            self.services.append((name, service))
            for number, method in enumerate(service.method):
                self.comments[f"{name}.{method.name}"] = _flowing(comments.get((_SERVICE, index, 2, number), ""))


class Writer:
    """Writes the classes, and remembers which modules they need."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._imports: dict[str, str] = {}

    def module(self) -> str:
        """The whole module."""
        services = [one for one in self._contract.services if not one[0].startswith(PRIVATE)]
        classes = [self._class(*one, prefix) for one in services for prefix in ("", "Async")]
        listed = [f'{self._module(name)}.DESCRIPTOR.services_by_name["{service.name}"]' for name, service in services]
        imports = "\n".join(sorted(f"from {package} import {module}" for module, package in self._imports.items()))
        return HEAD.format(imports=imports, services="".join(f"\n    {one}," for one in listed) + "\n") + "".join(classes)

    def _class(self, full_name: str, service: descriptor_pb2.ServiceDescriptorProto, prefix: str) -> str:
        head = CLASS.format(
            prefix=prefix,
            name=service.name,
            doc=_docstring(self._contract.comments[full_name], [], 4),
            grpc_module=self._module(full_name, "_pb2_grpc"),
        )
        return head + "".join(self._method(full_name, method, prefix) for method in service.method)

    def _method(self, service: str, method: _Method, prefix: str) -> str:
        answer = self._type(method.output_type.removeprefix("."))
        request = method.input_type.removeprefix(".")
        asynchronous = {"async_": "async ", "await_": "await "} if prefix else {"async_": "", "await_": ""}
        common = {"prefix": prefix, "rpc": method.name, "method": _snake(method.name), "answer": answer, **asynchronous}
        comment = self._contract.comments[f"{service}.{method.name}"]
        if method.client_streaming:
            kind = self._type(request)
            iterables = f"AsyncIterable[{kind}] | Iterable[{kind}]" if prefix else f"Iterable[{kind}]"
            return CLIENT_STREAM.format(**common, iterables=iterables, doc=_docstring(comment, [], 8))
        fields = list(self._contract.messages[request].field)
        arguments = [(_safe(one.name), self._comment(request, one, method)) for one in fields]
        template = SERVER_STREAM if method.server_streaming else UNARY
        return template.format(
            **common,
            doc=_docstring(comment, arguments, 8),
            fields="".join([self._type(request), *(f", {_safe(one.name)}={_value(one, method)}" for one in fields)]),
            parameters=self._parameters(request, fields, method),
        )

    def _parameters(self, request: str, fields: list[_Field], method: _Method) -> str:
        default = "None" if method.server_streaming else "DEADLINE_S"
        # What the server refuses to be without stands first, and has no default.
        needed = [f"{_safe(one.name)}: {self._annotation(one)}" for one in fields if _is_required(self._contract, request, one)]
        optional = [
            f"{_safe(one.name)}: {self._annotation(one)} | None = None"
            for one in fields
            if not _is_required(self._contract, request, one)
        ]
        parameters = ["self", "*", *needed, *optional, f"timeout: float | None = {default}"]
        return "".join(f"\n        {one}," for one in parameters) + "\n    "

    def _annotation(self, one: _Field) -> str:
        entry = self._contract.map_entries.get(one.type_name.removeprefix("."))
        if entry is not None:
            return f"Mapping[{', '.join(self._annotation(part) for part in entry.field)}]"
        if one.type == _Field.TYPE_ENUM:
            kind = f"{self._type(one.type_name.removeprefix('.'))} | int | str"
        elif one.type == _Field.TYPE_MESSAGE:
            kind = f"{self._type(one.type_name.removeprefix('.'))} | Mapping[str, Any]"
        else:
            kind = SCALARS[one.type]
        return f"Sequence[{kind}]" if one.label == _Field.LABEL_REPEATED else kind

    def _comment(self, request: str, one: _Field, method: _Method) -> str:
        comment = self._contract.comments[f"{request}.{one.name}"]
        return f"{comment} Left out: a new one." if _is_made(one, method) else comment

    def _type(self, full_name: str) -> str:
        return f"{self._module(full_name)}.{full_name.rpartition('.')[2]}"

    def _module(self, full_name: str, ending: str = "_pb2") -> str:
        package, _, module = f"{self._contract.modules[full_name].removesuffix('.proto')}{ending}".replace("/", ".").rpartition(
            "."
        )
        if self._imports.setdefault(module, package) != package:
            sys.exit(f"two modules are called {module}: in {package} and in {self._imports[module]}; rename one proto")
        return module


def _is_made(one: _Field, method: _Method) -> bool:
    """Whether the client names the write itself, so that repeating it is safe."""
    return one.name == REQUEST_ID and method.options.idempotency_level == descriptor_pb2.MethodOptions.IDEMPOTENT


def _value(one: _Field, method: _Method) -> str:
    return f"{one.name} or new_request_id()" if _is_made(one, method) else _safe(one.name)


def _is_required(contract: Contract, request: str, one: _Field) -> bool:
    """Whether the field's rules refuse a request without it."""
    from buf.validate import validate_pb2

    rules = one.options.Extensions[validate_pb2.field]
    message = contract.messages[request]
    alone = one.HasField("oneof_index") and sum(other.oneof_index == one.oneof_index for other in _in_oneofs(message)) == 1
    oneof: Any = message.oneof_decl[one.oneof_index].options.Extensions[validate_pb2.oneof] if alone else None
    # An optional field of at least a character may be left out; it must not be empty.
    filled = rules.string.min_len > 0 and not one.proto3_optional
    return rules.required or filled or (oneof is not None and oneof.required)


def _in_oneofs(message: descriptor_pb2.DescriptorProto) -> Iterator[_Field]:
    return (one for one in message.field if one.HasField("oneof_index"))


def _safe(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _flowing(comment: str) -> str:
    """A comment with each paragraph on one line."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in comment.strip().split("\n\n"))


def _docstring(comment: str, arguments: list[tuple[str, str]], indent: int) -> str:
    paragraphs = [textwrap.fill(paragraph, WIDTH - indent) for paragraph in comment.split("\n\n")]
    shown = [(name, text) for name, text in arguments if text and len(text) <= LONGEST_ARGUMENT]
    if shown:
        lines = [textwrap.fill(f"{name}: {text}", WIDTH - indent - 4, subsequent_indent="    ") for name, text in shown]
        paragraphs.append("Args:\n" + textwrap.indent("\n".join(lines), "    "))
    text = "\n\n".join(paragraphs)
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    closing = "\n" if "\n" in text else ""
    indented = textwrap.indent(f'"""{text}{closing}', " " * indent).strip(" ")
    return f'{indented}{" " * indent if closing else ""}"""'


def main() -> None:
    """Write the client of an image below a folder of generated stubs."""
    image, folder = Path(sys.argv[1]), Path(sys.argv[2])
    # The rules that say which fields are needed are read by the stubs that were just written.
    sys.path.insert(0, str(folder))
    import buf.validate.validate_pb2  # noqa: F401  (registers the options)

    contract = Contract.read(descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()))
    out = folder / OUT
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(Writer(contract).module(), encoding="utf-8")


if __name__ == "__main__":
    main()
