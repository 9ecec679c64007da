"""The code that actors run, for a Ray cluster on machines that don't have it. What it builds on has to be installed there."""

import ipaddress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# By name: each of these packages is sent whole. The rest of what workers import comes from PyPI.
PACKAGES = ("workers", "services", "tunesmith")
# Neither is any use there.
_LEFT_OUT = ["**/__pycache__/**", "**/migrations/**", "**/*.md"]
_HERE = {"", "local", "auto", "localhost"}


def is_elsewhere(address: str) -> bool:
    """Whether a cluster is on other machines, going by RAY_ADDRESS: `ray://host:port`, `host:port` or `auto`."""
    host = address.removeprefix("ray://").rpartition(":")[0] if ":" in address else address
    host = host.strip("[]")
    if host in _HERE:
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def shipped() -> dict[str, Any]:
    """Ray's runtime environment with our packages in it."""
    return {"py_modules": [str(folder_of(package)) for package in PACKAGES], "excludes": _LEFT_OUT}


def folder_of(package: str) -> Path:
    """Where a package lies on this machine."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    (folder,) = spec.submodule_search_locations
    return Path(folder)
