"""Where a server is, and channels to it that repeat what may be repeated."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import MethodOptions
from tunesmith.client._generated import SERVICES
from tunesmith.client.errors import InvalidArgument

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080
# A watch may be silent for 15 s; a peer that does not answer this is gone.
KEEPALIVE_MS = 30_000
KEEPALIVE_TIMEOUT_MS = 10_000
# As much as the gateway gives a JSON answer: all points of a long job.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
# A restart of a service takes a second or two; what takes longer is for the caller to know.
RETRY_POLICY = {
    "maxAttempts": 4,
    "initialBackoff": "0.2s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
# What a server listens on to be reached from everywhere is no address to call.
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "[::]": "[::1]"}  # noqa: S104


@dataclass(frozen=True)
class Address:
    """Where a server is."""

    host: str
    port: int
    secure: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The console's address."""
        return f"{'https' if self.secure else 'http'}://{self}"

    @property
    def is_loopback(self) -> bool:
        """Whether the server is this machine."""
        return self.host in ("localhost", "[::1]") or self.host.startswith("127.")


def address_of(server: str | None) -> Address:
    """A server by `host:port` or URL; for None what TUNESMITH_HOST and TUNESMITH_PORT say. Raises InvalidArgument."""
    if server is None:
        host = os.environ.get("TUNESMITH_HOST") or DEFAULT_HOST
        port = os.environ.get("TUNESMITH_PORT") or str(DEFAULT_PORT)
        return Address(_ANY_ADDRESS.get(host, host), _port(port, "TUNESMITH_PORT"))
    scheme, _, rest = server.rpartition("://")
    if scheme not in ("", "http", "https"):
        raise InvalidArgument(f"server {server}: {scheme}:// is no way to reach a server; use host:port")
    host, colon, port = rest.rstrip("/").rpartition(":")
    # Without a colon, or with one that belongs to an IPv6 address, there is no port.
    if not colon or port.endswith("]"):
        host, port = rest.rstrip("/"), "443" if scheme == "https" else str(DEFAULT_PORT)
    return Address(_ANY_ADDRESS.get(host, host), _port(port, f"server {server}"), scheme == "https")


def open_channel(address: Address) -> grpc.Channel:
    """A channel for calls that block. It connects at the first."""
    if address.secure:
        return grpc.secure_channel(str(address), grpc.ssl_channel_credentials(), channel_options())
    return grpc.insecure_channel(str(address), channel_options())


def open_async_channel(address: Address) -> grpc.aio.Channel:
    """A channel for the running event loop. It connects at the first call."""
    if address.secure:
        return grpc.aio.secure_channel(str(address), grpc.ssl_channel_credentials(), channel_options())
    return grpc.aio.insecure_channel(str(address), channel_options())


def channel_options() -> list[tuple[str, Any]]:
    """What gRPC is told about every channel."""
    return [
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.service_config", json.dumps({"methodConfig": [_retried()]})),
    ]


def _retried() -> dict[str, Any]:
    return {"name": list(_repeatable_methods(SERVICES)), "retryPolicy": RETRY_POLICY}


def _repeatable_methods(services: Iterable[Any]) -> Iterable[dict[str, str]]:
    """The methods whose repetition changes nothing, as the protos say."""
    for service in services:
        for method in service.methods:
            if method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN:
                yield {"service": service.full_name, "method": method.name}


def _port(text: str, source: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise InvalidArgument(f"{source}: {text!r} is no port; a port is a number from 1 to 65535")
    return int(text)
