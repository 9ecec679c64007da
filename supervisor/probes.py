"""How the supervisor sees that a part is ready, without gRPC: a process that forks must not have it loaded."""

import http.client
import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_TIMEOUT_S = 2.0


def socket_answers(path: Path) -> bool:
    """Whether somebody listens at a unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_TIMEOUT_S)
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def address_answers(host: str, port: int) -> bool:
    """Whether somebody listens at a port."""
    try:
        socket.create_connection((host, port), timeout=_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def address_is_free(host: str, port: int) -> bool:
    """Whether a listener could be opened there. Asked first because Envoy shares a port with another Envoy without a word."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
        return True


def free_port(host: str) -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        return listener.getsockname()[1]


def is_healthy(host: str, port: int) -> bool:
    """Whether the gateway says that every service answers."""
    return _get(host, port, "/healthz")[0] == http.client.OK


def ready_pool(host: str, port: int, since: datetime) -> str | None:
    """The name of a pool that takes work and was heard of since then; none yet means None."""
    status, body = _get(host, port, "/v1/pools?page_size=200")
    if status != http.client.OK:
        return None
    for pool in json.loads(body)["pools"]:
        seen = pool.get("last_seen_time")
        # A pool of an earlier run counts as ready until it is missed.
        if pool["state"] == "POOL_STATE_READY" and seen and datetime.fromisoformat(seen).astimezone(UTC) > since:
            return pool["display_name"] or pool["id"]
    return None


def _get(host: str, port: int, path: str) -> tuple[int | None, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None, b""
    finally:
        connection.close()
