"""Envoy's configuration, made from the template in gateway/ and the settings."""

import json
import re
import socket
import string
import sys
from pathlib import Path
from typing import Any

from services.chassis.settings import Settings
from supervisor import console
from supervisor.json_bodies import lua_tables
from supervisor.settings_error import EnvoySettingsError

ROOT = Path(__file__).resolve().parent.parent
GATEWAY = ROOT / "gateway"
DESCRIPTORS = ROOT / ".build/tunesmith.binpb"
CONSOLE = ROOT / ".build/console"
# Where the console's routes stand in envoy.yaml.
_ROUTE_INDENTATION = 24
# What the public listener transcodes. The agents' door is not among them.
PUBLIC_SERVICES = [
    "tunesmith.registry.v1.RegistryService",
    "tunesmith.registry.v1.RecipeService",
    "tunesmith.registry.v1.AdapterService",
    "tunesmith.job.v1.JobService",
    "tunesmith.pool.v1.PoolService",
    "tunesmith.parameter.v1.ParameterService",
    "tunesmith.provider.v1.ProviderService",
    "tunesmith.preflight.v1.PreflightService",
]
# Cluster: the setting that holds its address, and the service whose health decides about it.
_CLUSTERS = {
    "registry": ("registry", "tunesmith.registry.v1.RegistryService"),
    "recipe": ("registry", "tunesmith.registry.v1.RecipeService"),
    "adapter": ("registry", "tunesmith.registry.v1.AdapterService"),
    "job": ("job", "tunesmith.job.v1.JobService"),
    "pool": ("job", "tunesmith.pool.v1.PoolService"),
    "worker": ("job", "tunesmith.worker.v1.WorkerService"),
    "parameter": ("parameter", "tunesmith.parameter.v1.ParameterService"),
    "provider": ("provider", "tunesmith.provider.v1.ProviderService"),
    "preflight": ("preflight", "tunesmith.preflight.v1.PreflightService"),
}
HTTP_PORT = 80
_HEALTH_INTERVAL = "1s"
_LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"]
_EVERY_INTERFACE = {"0.0.0.0", "::"}  # noqa: S104
_HOST_NAME = re.compile(r"[A-Za-z0-9_.\-]+|\[[0-9A-Fa-f:.]+\]")
_ORIGIN = re.compile(r"https?://([A-Za-z0-9_.\-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?")


def command(config: Path) -> list[str]:
    """How to start Envoy. Without hot restart, whose shared memory would tie two installations on one machine together."""
    return [
        str(Path(sys.prefix) / "bin/envoy"),
        *("--config-path", str(config)),
        *("--concurrency", "1"),
        "--disable-hot-restart",
        *("--log-level", "warning"),
    ]


def write_configuration(settings: Settings, folder: Path) -> Path:
    """Write envoy.yaml and the script it names into a folder, and return the path of the first."""
    if not DESCRIPTORS.exists():
        raise EnvoySettingsError(f"{DESCRIPTORS.relative_to(ROOT)} is missing: run `make setup`")
    script = folder / "json_body.lua"
    script.write_text(lua_tables(DESCRIPTORS, PUBLIC_SERVICES) + (GATEWAY / "json_body.lua").read_text())
    template = string.Template((GATEWAY / "envoy.yaml").read_text())
    config = folder / "envoy.yaml"
    config.write_text(template.substitute(_values(settings, script)))
    return config


def _values(settings: Settings, script: Path) -> dict[str, Any]:
    names = host_names(settings)
    if not CONSOLE.exists():
        raise EnvoySettingsError(f"{CONSOLE.relative_to(ROOT)} is missing: run `make setup`, which builds the console")
    return {
        "host": json.dumps(_listening_address(settings.host)),
        "port": settings.port,
        "worker_port": settings.worker_port,
        "domains": json.dumps(names),
        "foreign_host": (
            f"This gateway does not go by the name %REQ(:AUTHORITY)%. Call it by {' or '.join(names)}, "
            "or add the name to TUNESMITH_ALLOWED_HOSTS and start again."
        ),
        "own_origins": json.dumps([_origin_principal(match) for match in own_origins(settings)]),
        "cors_origins": json.dumps([{"exact": origin} for origin in _checked_origins(settings)]),
        "console_assets": console.in_yaml(console.asset_routes(CONSOLE), _ROUTE_INDENTATION),
        "console_pages": console.in_yaml(console.page_routes(CONSOLE), _ROUTE_INDENTATION),
        "largest_console_file": console.largest_file(CONSOLE),
        "json_body": json.dumps(str(script)),
        "descriptors": json.dumps(str(DESCRIPTORS)),
        "services": json.dumps(PUBLIC_SERVICES),
        "clusters": json.dumps([_cluster(settings, name) for name in _CLUSTERS]),
    }


def _listening_address(host: str) -> str:
    """Envoy listens at addresses, not at names."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except socket.gaierror as error:
        raise EnvoySettingsError(f"TUNESMITH_HOST: {host!r} has no address ({error.strerror}); write 127.0.0.1") from None


def host_names(settings: Settings) -> list[str]:
    """The names the gateway goes by, without ports: loopback, the configured host, and those that were allowed."""
    own = [] if settings.host in _EVERY_INTERFACE else [_bracketed(settings.host)]
    for name in settings.allowed_hosts:
        if not _HOST_NAME.fullmatch(name):
            example = "TUNESMITH_ALLOWED_HOSTS=tune.example.org,10.0.0.5"
            raise EnvoySettingsError(
                f"TUNESMITH_ALLOWED_HOSTS: {name!r} is not a host name without port or path; write {example}"
            )
    return list(dict.fromkeys([*_LOOPBACK_NAMES, *own, *settings.allowed_hosts]))


def own_origins(settings: Settings) -> list[dict[str, str]]:
    """String matches of the origins whose pages may call: the gateway's own, and those that were allowed.

    The names it listens on count with its own port only, since another port of this machine is another program. A name that was
    allowed counts with any: it is usually a proxy's, and that has its own port.
    """
    listening = [name for name in host_names(settings) if name not in settings.allowed_hosts]
    own = [f"http://{name}:{settings.port}" for name in listening]
    if settings.port == HTTP_PORT:
        own += [f"http://{name}" for name in listening]
    exact = [{"exact": origin} for origin in [*own, *_checked_origins(settings)]]
    # One expression a name: Envoy refuses a regular expression of more than a hundred steps, and only once it runs.
    return exact + [{"regex": rf"https?://{re.escape(name)}(:\d+)?"} for name in settings.allowed_hosts]


def _checked_origins(settings: Settings) -> list[str]:
    for origin in settings.allowed_origins:
        if not _ORIGIN.fullmatch(origin):
            example = "TUNESMITH_ALLOWED_ORIGINS=https://console.example.org"
            raise EnvoySettingsError(
                f"TUNESMITH_ALLOWED_ORIGINS: {origin!r} is not an origin (scheme, host, port); write {example}"
            )
    return list(settings.allowed_origins)


def _origin_principal(match: dict[str, str]) -> dict[str, Any]:
    matcher = {"exact": match["exact"]} if "exact" in match else {"safe_regex": {"regex": match["regex"]}}
    return {"header": {"name": "origin", "string_match": matcher}}


def _cluster(settings: Settings, name: str) -> dict[str, Any]:
    owner, service = _CLUSTERS[name]
    kind, address = _endpoint(settings.address_of(owner), f"TUNESMITH_{owner.upper()}_ADDRESS or TUNESMITH_SERVICES_ADDRESS")
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    windows = {"initial_stream_window_size": 1048576, "initial_connection_window_size": 4194304}
    return {
        "name": name,
        "type": kind,
        "connect_timeout": "1s",
        "per_connection_buffer_limit_bytes": 1048576,
        "typed_extension_protocol_options": {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {"http2_protocol_options": windows},
            }
        },
        "health_checks": [
            {
                "timeout": "2s",
                "interval": _HEALTH_INTERVAL,
                "no_traffic_interval": _HEALTH_INTERVAL,
                "unhealthy_threshold": 1,
                "healthy_threshold": 1,
                "grpc_health_check": {"service_name": service},
            }
        ],
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
    }


def _endpoint(target: str, setting: str) -> tuple[str, dict[str, Any]]:
    """A gRPC target as Envoy's cluster type and address."""
    if target.startswith("unix:"):
        return "STATIC", {"pipe": {"path": target.removeprefix("unix:").replace("//", "", 1)}}
    host, _, port = target.removeprefix("dns:///").rpartition(":")
    if not host or not port.isdigit():
        raise EnvoySettingsError(f"{setting}: {target!r} is neither host:port nor unix:/path; write 127.0.0.1:50051")
    return "STRICT_DNS", {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
