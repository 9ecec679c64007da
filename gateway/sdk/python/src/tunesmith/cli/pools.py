"""`tunesmith pools`: where work can run."""

from collections.abc import Iterable

import typer
from rich.table import Table
from tunesmith.cli import wording
from tunesmith.cli.output import table
from tunesmith.cli.paging import DEFAULT_LIMIT, LimitOption, gather
from tunesmith.cli.session import Session, command
from tunesmith.pool.v1 import pool_pb2

app = typer.Typer(help="Where work can run.", no_args_is_help=True)

NONE_YET = "no pools; `make up` starts one with the server"


@app.callback()
def pools() -> None:
    """Keeps `list` a command of its own: typer makes an app's only command the app itself."""


@command(app, "list")
def list_pools(session: Session, limit: LimitOption = DEFAULT_LIMIT) -> None:
    """List pools, newest first."""
    response = gather(session.client.pools.list_pools, limit, session.output, NONE_YET)
    session.output.show(response, lambda: _many(response.pools))


def device_names(pool: pool_pb2.Pool) -> str:
    """A pool's devices, equal ones counted: `2 x H200 (141 GB)`."""
    names = [_device_name(device) for device in pool.devices]
    counted = {name: names.count(name) for name in names}
    return ", ".join(name if times == 1 else f"{times} x {name}" for name, times in counted.items())


def _device_name(device: pool_pb2.Device) -> str:
    cores = f"{device.core_count} cores" if device.core_count else ""
    memory = wording.size(device.memory_bytes) if device.memory_bytes else ""
    detail = ", ".join(part for part in (cores, memory) if part)
    name = device.name or wording.choice(pool_pb2.DeviceKind, device.kind, "DEVICE_KIND_").upper()
    return f"{name} ({detail})" if detail else name


def _many(pools: Iterable[pool_pb2.Pool]) -> Table:
    rows = [
        (
            pool.id,
            pool.display_name,
            wording.choice(pool_pb2.PoolState, pool.state, "POOL_STATE_"),
            ", ".join(pool.providers),
            str(pool.running_job_count),
            device_names(pool),
            wording.ago(pool.last_seen_time),
        )
        for pool in pools
    ]
    return table("ID", "NAME", "STATE", "PROVIDERS", "JOBS", "DEVICES", "SEEN", rows=rows)
