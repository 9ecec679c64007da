"""What must hold for every RPC: it has a URL or a reason, and nothing in its request can grow without bound."""

from collections.abc import Iterator
from importlib import import_module

import pytest
from buf.validate import validate_pb2
from google.api import annotations_pb2
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from services.chassis.knobs import AnyFieldDescriptor, AnyMessageDescriptor
from tests.contract.image import own_files

RPC_COUNT = 69
PUBLIC_RPC_COUNT = 56

# Only between services, or only for programs that speak gRPC: a raw stream of bytes with an offset means nothing to a browser.
WITHOUT_URL = {
    "tunesmith.registry.v1.AdapterService.ReadAdapterFile",
    "tunesmith.registry.v1.RegistryService.ReadBaseModelFile",
    "tunesmith.registry.v1.RegistryService.ReadDataset",
}
# Fields whose size is bounded elsewhere, each with its bound.
BOUNDED_ELSEWHERE = {
    "tunesmith.job.v1.MetricChunk.values": "its rule metric_chunk.columns: as long as steps",
    "tunesmith.job.v1.MetricChunk.times_ms": "its rule metric_chunk.columns: as long as steps",
}


def _rpcs() -> list[MethodDescriptor]:
    return [
        method
        for name in own_files()
        if name.endswith("_service.proto")
        for service in import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2").DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]


RPCS = _rpcs()
# The agents' door has no URL: the public listener has no route to it.
PUBLIC = [rpc for rpc in RPCS if not rpc.full_name.startswith("tunesmith.worker.")]


def test_no_rpc_got_lost() -> None:
    assert len(RPCS) == RPC_COUNT
    assert len(PUBLIC) == PUBLIC_RPC_COUNT


@pytest.mark.parametrize("rpc", PUBLIC, ids=lambda rpc: rpc.full_name)
def test_a_public_rpc_has_a_url_or_a_reason(rpc: MethodDescriptor) -> None:
    rule = rpc.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    assert (verb is None) == (rpc.full_name in WITHOUT_URL)
    if verb is not None:
        assert getattr(rule, verb).startswith("/v1/")


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.full_name)
def test_a_request_can_not_grow_without_bound(rpc: MethodDescriptor) -> None:
    assert sorted(_unbounded(rpc.input_type, set())) == []


@pytest.mark.parametrize("rpc", [rpc for rpc in RPCS if "page_token" in rpc.input_type.fields_by_name], ids=lambda rpc: rpc.name)
def test_a_page_is_bounded(rpc: MethodDescriptor) -> None:
    rules = _rules(rpc.input_type.fields_by_name["page_size"]).int32
    assert rules.gte == 0
    assert 0 < rules.lte <= 1000
    assert "next_page_token" in rpc.output_type.fields_by_name


def test_every_list_has_pages() -> None:
    paged = {rpc.name for rpc in RPCS if "page_token" in rpc.input_type.fields_by_name}
    lists = {rpc.name for rpc in RPCS if rpc.name.startswith("List")}
    # A fixed number of knobs and of backends, one job's series cut by key and step, and the latest jobs up to a limit.
    assert lists - paged == {"ListParameters", "ListProviders", "ListJobMetrics", "ListResiduals"}
    assert len(paged) == 9


def _unbounded(message: AnyMessageDescriptor, seen: set[str]) -> Iterator[str]:
    """Full names of the strings and lists below a request that no rule bounds; bytes are bounded by the size of a message."""
    if message.full_name in seen or not message.full_name.startswith("tunesmith."):
        return
    seen.add(message.full_name)
    for field in message.fields:
        if field.full_name not in BOUNDED_ELSEWHERE and not _is_bounded(field):
            yield field.full_name
        if field.message_type is not None and not _is_map(field):
            yield from _unbounded(field.message_type, seen)


def _is_bounded(field: AnyFieldDescriptor) -> bool:
    rules = _rules(field)
    if _is_map(field):
        return rules.map.HasField("max_pairs") and _string_is_bounded(rules.map.keys.string)
    if field.is_repeated:
        items = rules.repeated.items.string
        return rules.repeated.HasField("max_items") and (
            field.cpp_type != FieldDescriptor.CPPTYPE_STRING or _string_is_bounded(items)
        )
    return field.type != FieldDescriptor.TYPE_STRING or _string_is_bounded(rules.string)


def _is_map(field: AnyFieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _string_is_bounded(rules: validate_pb2.StringRules) -> bool:
    fixed_length = rules.pattern.startswith("^") and rules.pattern.endswith("}$")
    return rules.HasField("max_len") or bool(getattr(rules, "in")) or fixed_length


def _rules(field: AnyFieldDescriptor) -> validate_pb2.FieldRules:
    rules: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return rules
