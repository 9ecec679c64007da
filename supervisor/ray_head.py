"""How a Ray head is started: on loopback alone, behind a token, and with nothing that Tunesmith has no use for."""

import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import Any

from supervisor.home import Home

OBJECT_STORE_BYTES = 100_000_000
# Rows and weights travel by gRPC, so Ray's own store holds little; tools Ray starts for a dashboard would cost 250 MB more.
_SETTINGS = {
    # Workers begin when an actor needs one, not one a core at the start.
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    # A job gets the processor as a script would. With Ray's own 15, whatever else ran on the machine held up a training whose
    # threads wait for each other: steps of 50 ms took seconds.
    "RAY_worker_niceness": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_event_stats": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Jobs are leased again elsewhere or later; waiting for half a minute until actors end by themselves serves nobody.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    "RAY_START_HOOK": "supervisor.ray_head.without_client_server",
}


def environment(home: Home) -> dict[str, str]:
    """What the head and every program that connects to it have to know."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(home.ray_token),
        # Ray replaces 127.0.0.1 by the machine's address and then listens on every interface, unless it believes that it can't
        # make a cluster of several machines. Drivers have to believe the same to find it.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }


def settings() -> dict[str, str]:
    """What only the head has to know."""
    return dict(_SETTINGS)


def command(home: Home, port: int, agent_port: int) -> list[str]:
    """How to start the head in the foreground on a port. The second port is Ray's for its own agent, whose default is fixed."""
    return [
        *(str(Path(sys.prefix) / "bin/ray"), "start", "--head", "--block"),
        *("--node-ip-address", "127.0.0.1"),
        *("--port", str(port)),
        *("--dashboard-agent-listen-port", str(agent_port)),
        *("--include-dashboard", "false"),
        *("--include-log-monitor", "false"),
        "--no-monitor",
        "--disable-usage-stats",
        *("--object-store-memory", str(OBJECT_STORE_BYTES)),
        *("--temp-dir", str(home.ray_folder)),
        *("--log-style", "record", "--log-color", "false"),
    ]


def prepare(home: Home) -> None:
    """Make the token, and remove the sessions of earlier runs, which Ray would keep for ever."""
    if not home.ray_token.exists():
        file = os.open(home.ray_token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w") as token:
            token.write(secrets.token_hex(32))
    shutil.rmtree(home.ray_folder, ignore_errors=True)


def is_up(home: Home) -> bool:
    """Whether the head has started all its processes; Ray writes this file after that."""
    return (home.ray_folder / "ray_current_cluster").exists()


def without_client_server(ray_parameters: Any, head: bool) -> None:
    """Ray's start hook: leave out the server for remote clients, which no option switches off where gRPC is installed."""
    ray_parameters.ray_client_server_port = None
