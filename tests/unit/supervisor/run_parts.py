"""Runs the supervisor's loop over stand-in parts, in a process of its own because it ends every child of its process.

`python -m tests.unit.supervisor.run_parts HOME PARTS`, where PARTS is JSON: name, program, and the fields of Part that matter. A
program is Python; it finds its folder in FOLDER. A part is ready when it has made the file `NAME.ready` there.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from supervisor import process
from supervisor.home import Home, open_home
from supervisor.ledger import Ledger
from supervisor.parts import Part
from supervisor.signals import inbox
from supervisor.supervise import Supervisor

STEADY_S = 0.5


def stand_in(home: Home, name: str, program: str, **fields: Any) -> Part:
    ready = home.run / f"{name}.ready"

    def probe() -> str | None:
        return f"{name} is up" if ready.exists() else None

    environment = os.environ | {"FOLDER": str(home.run), "NAME": name}
    command = [sys.executable, "-u", "-c", program]
    return Part(name, command, environment, probe, prepare=lambda: ready.unlink(missing_ok=True), **fields)


def main() -> int:
    home = open_home(Path(sys.argv[1]))
    ledger = Ledger(home.processes)
    parts = [stand_in(home, **fields) for fields in json.loads(sys.argv[2])]
    with inbox() as signals:
        process.end(ledger.left_over(), 5)
        process.adopt_orphans()
        return Supervisor(parts, home, ledger, first_backoff_s=0.05, steady_s=STEADY_S).run(signals)


if __name__ == "__main__":
    sys.exit(main())
