"""Where peers are installed: below .build/peers, by `make peers`."""

import subprocess
from pathlib import Path

from bench.record import ROOT

FOLDER = ROOT / ".build" / "peers"
MAKE_PEERS = "`make peers` installs it"


def python_of(peer: str) -> Path | None:
    """The Python of a peer's environment; None if the peer is not installed."""
    python = FOLDER / peer / "bin" / "python"
    return python if python.exists() and version_of(peer, python) else None


def version_of(distribution: str, python: Path) -> str:
    """The version of a distribution in another environment; empty if it is not there."""
    program = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    found = subprocess.run([python, "-c", program, distribution], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else ""
