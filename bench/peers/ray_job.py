"""The plain script submitted to a Ray cluster with `ray job submit`."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import family, plain
from supervisor.probes import address_answers, free_port

HOST = "127.0.0.1"
START_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class RayHead:
    """A head that takes jobs."""

    url: str
    environment: Mapping[str, str]

    def submit(self, script: Sequence[str]) -> plain.Run:
        """Submit the script and wait for its end."""
        ray = str(Path(sys.executable).with_name("ray"))
        return plain.run([ray, "job", "submit", "--address", self.url, "--", *script], self.environment)


@contextmanager
def ray_head() -> Iterator[RayHead]:
    """A Ray head of our own version with its dashboard, which is what takes jobs; on loopback alone, behind a token."""
    # Ray's sockets lie in it, so its name has to be short.
    with tempfile.TemporaryDirectory(prefix="tsb-") as folder:
        token = Path(folder) / "token"
        token.touch(0o600)
        token.write_text(secrets.token_hex(32))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment = (
            inherited
            | plain.OFFLINE
            | {
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN_PATH": str(token),
                # Without it Ray listens on every interface, whatever address it is given.
                "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
                "RAY_USAGE_STATS_ENABLED": "0",
            }
        )
        dashboard = free_port(HOST)
        with (Path(folder) / "said").open("wb") as said:
            head = subprocess.Popen(_head_command(dashboard, Path(folder) / "ray"), env=environment, stdout=said, stderr=said)
            try:
                _wait_for(dashboard, head, Path(folder) / "said")
                yield RayHead(f"http://{HOST}:{dashboard}", environment)
            finally:
                family.end(head)


def _head_command(dashboard: int, folder: Path) -> list[str]:
    ray = str(Path(sys.executable).with_name("ray"))
    return [
        *(ray, "start", "--head", "--block", "--disable-usage-stats", "--num-cpus", "2"),
        *("--node-ip-address", HOST, "--port", str(free_port(HOST))),
        *("--include-dashboard", "true", "--dashboard-host", HOST, "--dashboard-port", str(dashboard)),
        *("--dashboard-agent-listen-port", str(free_port(HOST)), "--ray-client-server-port", str(free_port(HOST))),
        *("--temp-dir", str(folder)),
    ]


def _wait_for(dashboard: int, head: subprocess.Popen[bytes], said: Path) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while not address_answers(HOST, dashboard):
        if time.monotonic() > end or head.poll() is not None:
            raise RuntimeError(f"Ray did not start:\n{said.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)
