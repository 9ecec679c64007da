"""Uploads of a gigabyte that hold one row, to a registry in a process of its own: refused with the line, in little memory."""

import asyncio
from collections.abc import Iterator

import grpc
import pytest
from google.api import httpbody_pb2
from google.rpc import error_details_pb2, status_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages
from tunesmith.registry.v1.registry_service_pb2_grpc import RegistryServiceStub

from tests.integration.registry.conftest import Process

pytestmark = pytest.mark.integration

MIB = 1024 * 1024
GB = 10**9
MAX_GROWTH_BYTES = 200 * MIB
TOO_LONG = "is longer than 16777216 bytes; split the row"

BEGINNINGS = {
    "rows.jsonl": (b'{"text": "first"}\n{"text": "', b"x" * MIB, f"line 2: {TOO_LONG}"),
    "rows.csv": (b'text\nfirst\n"', b"x," * (MIB // 2), f"line 3: {TOO_LONG}"),
    # A quoted value of lines: each is short, and together they are one row.
    "lines.csv": (b'text\nfirst\n"', b"x" * 99 + b"\n", f"line 3: {TOO_LONG}"),
    "rows.json": (b'[\n{"text": "first"},\n{"text": "', b"x" * MIB, f"line 3: {TOO_LONG}"),
}


def _pieces(beginning: bytes, unit: bytes) -> Iterator[bytes]:
    yield beginning
    piece = unit * (MIB // len(unit))
    for _ in range(GB // len(piece)):
        yield piece


@pytest.mark.parametrize("filename", BEGINNINGS)
async def test_a_row_of_a_gigabyte_is_refused_with_its_line(process: Process, filename: str) -> None:
    beginning, unit, expected = BEGINNINGS[filename]

    def stream() -> Iterator[messages.UploadDatasetRequest]:
        for piece in _pieces(beginning, unit):
            yield messages.UploadDatasetRequest(filename=filename, data=httpbody_pb2.HttpBody(data=piece))

    channel = await process.start()
    await channel.close()
    idle = process.peak_bytes()
    # gRPC's asyncio client says INTERNAL where a server answers before it was sent everything.
    error = await asyncio.to_thread(_refused, process.address, stream())
    assert _violations(error)[0].startswith(expected)
    assert process.peak_bytes() - idle < MAX_GROWTH_BYTES
    assert [path for path in (process.home / "datasets").rglob("*") if path.is_file()] == []


def _refused(address: str, stream: Iterator[messages.UploadDatasetRequest]) -> grpc.RpcError:
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as refused:
        RegistryServiceStub(channel).UploadDataset(stream)
    return refused.value


def _violations(error: grpc.RpcError) -> list[str]:
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    details = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    bad_request = error_details_pb2.BadRequest()
    assert status_pb2.Status.FromString(details).details[0].Unpack(bad_request)
    return [violation.description for violation in bad_request.field_violations]
