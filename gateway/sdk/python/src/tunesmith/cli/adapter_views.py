"""How adapters look on a terminal."""

from collections.abc import Iterable
from pathlib import Path

from rich.table import Table
from tunesmith.cli import wording
from tunesmith.cli.output import facts, table
from tunesmith.registry.v1 import adapter_pb2

TYPE_PREFIX, STATUS_PREFIX = "ADAPTER_TYPE_", "ADAPTER_STATUS_"


def many(adapters: Iterable[adapter_pb2.Adapter]) -> Table:
    """A line each."""
    rows = [
        (
            adapter.id,
            adapter.display_name,
            _type(adapter),
            str(adapter.rank) if adapter.rank else "",
            ", ".join(adapter.target_modules),
            _status(adapter),
            wording.size(adapter.size_bytes),
            adapter.base_model_id,
            wording.ago(adapter.create_time),
        )
        for adapter in adapters
    ]
    return table("ID", "NAME", "TYPE", "RANK", "TARGETS", "STATUS", "SIZE", "BASE MODEL", "CREATED", rows=rows)


def one(adapter: adapter_pb2.Adapter) -> Table:
    """All that is known of one."""
    made_of = [f"{part.weight:g} × {part.adapter_id}" for part in adapter.lineage.components]
    return facts(
        [
            ("id", adapter.id),
            ("name", adapter.display_name),
            ("description", adapter.description),
            ("base model", adapter.base_model_id),
            ("type", _type(adapter)),
            ("rank", str(adapter.rank) if adapter.rank else ""),
            ("alpha", f"{adapter.alpha:g}" if adapter.rank else ""),
            ("dropout", f"{adapter.dropout:g}" if adapter.dropout else ""),
            ("targets", ", ".join(adapter.target_modules)),
            ("status", _status(adapter)),
            ("error", adapter.error),
            ("parameters", f"{adapter.parameter_count:,}"),
            ("size", wording.size(adapter.size_bytes)),
            *((name.replace("_", " "), wording.number(value)) for name, value in sorted(adapter.metrics.items())),
            ("made by job", adapter.lineage.job_id),
            ("made of", ", ".join(made_of)),
            ("created", wording.ago(adapter.create_time)),
        ]
    )


def written(adapter: adapter_pb2.Adapter, folder: Path) -> Table:
    """Files that were downloaded."""
    return table("FILE", "SIZE", rows=[(str(folder / file.path), wording.size(file.size_bytes)) for file in adapter.files])


def _type(adapter: adapter_pb2.Adapter) -> str:
    return wording.choice(adapter_pb2.AdapterType, adapter.type, TYPE_PREFIX)


def _status(adapter: adapter_pb2.Adapter) -> str:
    return wording.choice(adapter_pb2.AdapterStatus, adapter.status, STATUS_PREFIX)
