"""Where things lie, whatever the home is called."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from supervisor.home import MAX_LOG_BYTES, MAX_SOCKET_PATH_BYTES, Home, last_lines, open_home, open_log


@pytest.fixture
def short_temporary(monkeypatch: pytest.MonkeyPatch) -> Path:
    with tempfile.TemporaryDirectory(prefix="ts-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_sockets_lie_in_the_home() -> None:
    home = Home(Path("/srv/tunesmith"))
    assert home.services_socket == Path("/srv/tunesmith/run/services.sock")


def test_a_long_home_gets_short_sockets_of_its_own(short_temporary: Path) -> None:
    homes = [Home(Path("/srv") / ("long-" * 20) / name) for name in ("a", "b")]
    for home in homes:
        assert len(os.fsencode(home.services_socket)) <= MAX_SOCKET_PATH_BYTES
        assert home.services_socket == home.services_socket
    assert homes[0].services_socket != homes[1].services_socket
    assert stat.S_IMODE(homes[0].services_socket.parent.stat().st_mode) == 0o700


def test_ray_has_room_for_its_own_names(short_temporary: Path) -> None:
    behind = "/session_2026-11-21_04-57-20_484374_4194304/sockets/plasma_store"
    for root in ("/srv/t", "/home/somebody/projects/tunesmith/.tunesmith"):
        assert len(os.fsencode(str(Home(Path(root)).ray_folder) + behind)) <= 107


def test_a_short_folder_that_is_a_link_is_refused(short_temporary: Path) -> None:
    home = Home(Path("/srv") / ("long-" * 20))
    folder = home.services_socket.parent
    folder.rmdir()
    folder.symlink_to(short_temporary, target_is_directory=True)
    with pytest.raises(PermissionError, match="TMPDIR"):
        _ = home.services_socket


def test_only_the_owner_sees_sockets_and_secrets(tmp_path: Path) -> None:
    assert stat.S_IMODE(open_home(tmp_path / "home").run.stat().st_mode) == 0o700


def test_a_log_that_has_grown_is_set_aside(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * (MAX_LOG_BYTES + 1))
    os.close(open_log(log))
    assert log.stat().st_size == 0
    assert (tmp_path / "a.log.1").stat().st_size == MAX_LOG_BYTES + 1


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))
    assert last_lines(log, 2) == ["line 9998", "line 9999"]
