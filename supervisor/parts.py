"""What Tunesmith consists of: each part with its command, what it waits for, and how to see that it is ready."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from services.chassis.settings import Settings
from supervisor import envoy, probes, ray_head
from supervisor.home import Home

ROOT = Path(__file__).resolve().parent.parent
_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def _started() -> str:
    return ""


@dataclass(frozen=True)
class Part:
    """A process that the supervisor keeps running."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    # What there is to say once it is ready, perhaps nothing; None: not yet.
    probe: Callable[[], str | None] = _started
    # What has to be done each time before it starts.
    prepare: Callable[[], object] | None = None
    # Parts that have to be ready before it starts.
    after: tuple[str, ...] = ()
    # Parts without which it is of no use: when one of them ends, this one is started again too.
    bound_to: tuple[str, ...] = ()
    # Whether it is done when it ends without an error.
    once: bool = False
    # Whether there is no use in going on when it can't be started.
    is_vital: bool = False
    # How long it may take to end.
    stop_s: float = 3.0


def reachable(host: str) -> str:
    """An address at which what listens on this host can be called from the same machine."""
    return _EVERY_INTERFACE.get(host, host)


def services_address(settings: Settings, home: Home) -> str:
    """Where the services listen: what was set, or a socket in the home, which needs no port and no other user can open."""
    return settings.services_address if "services_address" in settings.model_fields_set else f"unix:{home.services_socket}"


def base_environment(settings: Settings, home: Home) -> dict[str, str]:
    """What every part is told, on top of what the supervisor was told."""
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONUNBUFFERED": "1",
        "TUNESMITH_HOME": str(home.root),
        "TUNESMITH_SERVICES_ADDRESS": services_address(settings, home),
        "TUNESMITH_WORKER_ADDRESS": f"{reachable(settings.host)}:{settings.worker_port}",
    }


def all_parts(settings: Settings, home: Home) -> list[Part]:
    """Every part, in the order in which they start. With RAY_ADDRESS set, Ray is somebody else's."""
    environment = base_environment(settings, home)
    # Envoy has to be told what the services are told.
    settings = settings.model_copy(update={"services_address": environment["TUNESMITH_SERVICES_ADDRESS"]})
    ray: list[Part] = []
    if "RAY_ADDRESS" not in environment:
        port = probes.free_port("127.0.0.1")
        environment |= ray_head.environment(home) | {"RAY_ADDRESS": f"127.0.0.1:{port}"}
        ray = [_ray(environment, home, port)]
    return [
        _services(environment, settings),
        _gateway(environment, settings, home),
        *ray,
        _agent(environment, settings, after=tuple(part.name for part in ray)),
        Part("starter", [sys.executable, "-m", "starter.pico"], environment, after=("gateway",), once=True),
        *_catalog(environment, settings, home),
    ]


def _catalog(environment: Mapping[str, str], settings: Settings, home: Home) -> list[Part]:
    """What registers the catalogue, at the first start of a home alone: what people took off the list stays off it."""
    if not settings.catalog or home.catalog_mark.exists():
        return []
    command = [sys.executable, "-m", "starter.seed", "--first-start"]
    # It calls the gateway, which may listen on all interfaces.
    address = {"TUNESMITH_HOST": reachable(settings.host), "TUNESMITH_PORT": str(settings.port)}
    return [Part("catalog", command, {**environment, **address}, after=("gateway",), once=True)]


def _services(environment: Mapping[str, str], settings: Settings) -> Part:
    def probe() -> str | None:
        address = settings.services_address
        if address.startswith("unix:"):
            return "" if probes.socket_answers(Path(address.removeprefix("unix:"))) else None
        host, _, port = address.rpartition(":")
        return "" if probes.address_answers(reachable(host.strip("[]")), int(port)) else None

    return Part("services", [sys.executable, "-m", "services"], environment, probe, is_vital=True)


def _gateway(environment: Mapping[str, str], settings: Settings, home: Home) -> Part:
    host = reachable(settings.host)

    def probe() -> str | None:
        shown = f"[{host}]" if ":" in host else host
        return f"ready: http://{shown}:{settings.port}" if probes.is_healthy(host, settings.port) else None

    config = envoy.write_configuration(settings, home.run)
    return Part("gateway", envoy.command(config), environment, probe, is_vital=True, stop_s=1.0)


def _ray(environment: Mapping[str, str], home: Home, port: int) -> Part:
    def probe() -> str | None:
        return "" if ray_head.is_up(home) else None

    command = ray_head.command(home, port, probes.free_port("127.0.0.1"))
    # A head must not be told to join a cluster, least of all itself.
    alone = {name: value for name, value in environment.items() if name != "RAY_ADDRESS"}
    return Part("ray", command, alone | ray_head.settings(), probe, prepare=partial(ray_head.prepare, home))


def _agent(environment: Mapping[str, str], settings: Settings, after: tuple[str, ...]) -> Part:
    begin = datetime.now(UTC)

    def probe() -> str | None:
        pool = probes.ready_pool(reachable(settings.host), settings.port, begin)
        return f"pool ready: {pool}" if pool else None

    command = [sys.executable, "-m", "workers.agent"]
    return Part("agent", command, environment, probe, after=("services", *after), bound_to=after, stop_s=5.0)
