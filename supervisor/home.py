"""Where things lie in the home: sockets and records in `run`, the parts' output in `logs`."""

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

# The kernel takes 107 bytes for a socket's path; the rest is for what is put behind ours.
MAX_SOCKET_PATH_BYTES = 100
# What Ray puts behind its folder: /session_2026-11-21_04-57-20_484374_4194304/sockets/plasma_store.
_RAY_SOCKET_BYTES = 66
MAX_LOG_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class Home:
    """The folders of one installation. Made by `open_home`."""

    root: Path

    @property
    def run(self) -> Path:
        """Sockets, records and rendered configuration of the run."""
        return self.root / "run"

    @property
    def catalog_mark(self) -> Path:
        """There once the catalogue was registered."""
        return self.root / "catalog-registered"

    @property
    def lock(self) -> Path:
        """Held by the supervisor while it lives."""
        return self.run / "supervisor.lock"

    @property
    def processes(self) -> Path:
        """Which processes are ours."""
        return self.run / "processes.json"

    @property
    def ray_token(self) -> Path:
        """The secret that Ray's processes know each other by."""
        return self.run / "ray-token"

    @property
    def services_socket(self) -> Path:
        """Where the services listen."""
        path = self.run / "services.sock"
        return path if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES else self._short_folder() / "services.sock"

    @property
    def ray_folder(self) -> Path:
        """Where Ray keeps sessions, logs and sockets."""
        path = self.run / "ray"
        fits = len(os.fsencode(path)) + _RAY_SOCKET_BYTES <= MAX_SOCKET_PATH_BYTES
        return path if fits else self._short_folder() / "ray"

    def log(self, part: str) -> Path:
        """Where a part's output goes."""
        return self.root / "logs" / f"{part}.log"

    def _short_folder(self) -> Path:
        """A folder of a short name for a home of a long one: the same for the same home, and nobody else's."""
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:10]
        folder = Path(tempfile.gettempdir()) / f"tunesmith-{os.getuid()}-{digest}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        # Anybody can make a folder of this name before we do, and would then own our sockets.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to somebody else; set TMPDIR or TUNESMITH_HOME to a folder of yours")
        return folder


def open_home(root: Path) -> Home:
    """Make the folders of a home that are missing. Only its owner can look into `run`, which holds sockets and a secret."""
    home = Home(root)
    home.root.mkdir(parents=True, exist_ok=True)
    home.run.mkdir(mode=0o700, exist_ok=True)
    home.run.chmod(0o700)
    (home.root / "logs").mkdir(exist_ok=True)
    return home


def open_log(path: Path) -> int:
    """A file descriptor that appends to a log, after setting one that has grown large aside."""
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def last_lines(path: Path, count: int) -> list[str]:
    """The end of a log, for a person who needs its reason and not its history."""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 16384))
        return log.read().decode(errors="replace").splitlines()[-count:]
