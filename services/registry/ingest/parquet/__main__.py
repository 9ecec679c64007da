"""`python -m services.registry.ingest.parquet FILE`: a file's rows for the registry, one a line, in bounded memory."""

import resource
import sys
from pathlib import Path

from services.registry.ingest.parquet import END, FAULT, REFUSAL
from services.registry.ingest.parquet.rows import Refused, read
from services.registry.ingest.rows import RowFault

# Beside what the library takes for itself. A batch of rows, its columns and its pages need a tenth of it.
MEMORY_BYTES = 320 * 1024 * 1024
_WRITE_BYTES = 256 * 1024
_TOO_MUCH = (
    f"its pages unpack to more than {MEMORY_BYTES // 1024**2} MiB at once; write it with smaller pages and row groups, or upload "
    "the rows as JSONL"
)


def main() -> None:
    path = Path(sys.argv[1])
    done = 0
    lines: list[bytes] = []
    try:
        rows = read(path)
        _limit_memory()
        size = 0
        for row in rows:
            done += 1
            lines.append(FAULT + str(row).encode(errors="replace") if isinstance(row, RowFault) else row)
            size += len(lines[-1])
            if size >= _WRITE_BYTES:
                _write(lines)
                lines, size = [], 0
        lines.append(END)
    except Refused as refusal:
        lines.append(REFUSAL + str(refusal).encode(errors="replace"))
    except MemoryError:
        lines.append(REFUSAL + f"row {done + 1}: {_TOO_MUCH}".encode())
    _write(lines)


def _write(lines: list[bytes]) -> None:
    sys.stdout.buffer.write(b"\n".join([*lines, b""]))
    sys.stdout.buffer.flush()


def _limit_memory() -> None:
    """What is held now, and so much more."""
    status = Path("/proc/self/status")
    if not status.exists():
        return
    held = next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmData:"))
    resource.setrlimit(resource.RLIMIT_DATA, (held + MEMORY_BYTES, held + MEMORY_BYTES))


main()
