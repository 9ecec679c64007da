"""The channel to a Tunesmith server, and the stubs of its services."""

import os
from dataclasses import dataclass

import grpc
from tunesmith.cli.errors import EXIT_USAGE, CliError
from tunesmith.job.v1.job_service_pb2_grpc import JobServiceStub
from tunesmith.parameter.v1.parameter_service_pb2_grpc import ParameterServiceStub
from tunesmith.pool.v1.pool_service_pb2_grpc import PoolServiceStub
from tunesmith.registry.v1.registry_service_pb2_grpc import RegistryServiceStub

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080
# A watch may be silent for 15 s; a peer that does not answer this is gone.
KEEPALIVE_MS = 30_000
KEEPALIVE_TIMEOUT_MS = 10_000
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
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
    """What `--server` says, or else TUNESMITH_HOST and TUNESMITH_PORT."""
    if server is None:
        host = os.environ.get("TUNESMITH_HOST") or DEFAULT_HOST
        port = os.environ.get("TUNESMITH_PORT") or str(DEFAULT_PORT)
        return Address(_ANY_ADDRESS.get(host, host), _port(port, "TUNESMITH_PORT"))
    scheme, _, rest = server.rpartition("://")
    if scheme not in ("", "http", "https"):
        raise CliError(f"--server {server}: {scheme}:// is no way to reach a server; use host:port", EXIT_USAGE)
    host, colon, port = rest.rstrip("/").rpartition(":")
    # Without a colon, or with one that belongs to an IPv6 address, there is no port.
    if not colon or port.endswith("]"):
        host, port = rest.rstrip("/"), "443" if scheme == "https" else str(DEFAULT_PORT)
    return Address(_ANY_ADDRESS.get(host, host), _port(port, "--server"), scheme == "https")


class Connection:
    """One channel and its stubs. It connects at the first call."""

    def __init__(self, address: Address) -> None:
        self.address = address
        options = [
            ("grpc.keepalive_time_ms", KEEPALIVE_MS),
            ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_reconnect_backoff_ms", 2_000),
        ]
        if address.secure:
            self.channel = grpc.secure_channel(str(address), grpc.ssl_channel_credentials(), options)
        else:
            self.channel = grpc.insecure_channel(str(address), options)
        self.registry = RegistryServiceStub(self.channel)
        self.jobs = JobServiceStub(self.channel)
        self.pools = PoolServiceStub(self.channel)
        self.parameters = ParameterServiceStub(self.channel)

    def close(self) -> None:
        """Close the channel."""
        self.channel.close()


def _port(text: str, source: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise CliError(f"{source}: {text!r} is no port; a port is a number from 1 to 65535", EXIT_USAGE)
    return int(text)
