"""Tunesmith: one typed configuration for any fine-tune, on any backend.

`Tunesmith` and `AsyncTunesmith` are the clients; everything that can go wrong is a `TunesmithError`. Messages are in
`tunesmith.<noun>.v1`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunesmith.client.asynchronous import AsyncTunesmith
    from tunesmith.client.blocking import Tunesmith
    from tunesmith.client.download import DownloadError, FileInTheWay
    from tunesmith.client.errors import (
        Aborted,
        AlreadyExists,
        Cancelled,
        DeadlineExceeded,
        FailedPrecondition,
        Internal,
        InvalidArgument,
        NotFound,
        OutOfRange,
        PermissionDenied,
        ResourceExhausted,
        TunesmithError,
        Unauthenticated,
        Unavailable,
        Unimplemented,
        Violation,
    )
    from tunesmith.client.fixes import apply_fixes
    from tunesmith.client.paging import gather, gather_async
    from tunesmith.client.validation import validate

__all__ = [
    "Aborted",
    "AlreadyExists",
    "AsyncTunesmith",
    "Cancelled",
    "DeadlineExceeded",
    "DownloadError",
    "FailedPrecondition",
    "FileInTheWay",
    "Internal",
    "InvalidArgument",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "ResourceExhausted",
    "Tunesmith",
    "TunesmithError",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Violation",
    "apply_fixes",
    "gather",
    "gather_async",
    "validate",
]

_ELSEWHERE = {
    "AsyncTunesmith": "asynchronous",
    "Tunesmith": "blocking",
    "DownloadError": "download",
    "FileInTheWay": "download",
    "apply_fixes": "fixes",
    "gather": "paging",
    "gather_async": "paging",
    "validate": "validation",
}


def __getattr__(name: str) -> Any:
    # Messages alone must stay cheap to import, and free of gRPC: a process that forks uses them.
    if name not in __all__:
        raise AttributeError(f"module 'tunesmith' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tunesmith.client.{_ELSEWHERE.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
