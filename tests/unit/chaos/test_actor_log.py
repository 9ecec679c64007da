"""What actors said is read to its end, also when its file is gone."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.actor_log import ActorLogs
from tests.chaos.log import OperationLog

STARTED = {"job": "job-1", "attempt": 2, "event": "attempt_started", "timestamp": "2026-11-21T10:04:38.500000Z"}
ENDED = {"job": "job-1", "outcome": "succeeded", "event": "attempt_ended", "timestamp": "2026-11-21T10:04:40.500000Z"}


@pytest.fixture
def actor() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def test_a_line_is_read_once_it_is_whole_and_a_removed_file_to_its_end(tmp_path: Path, actor: subprocess.Popen[bytes]) -> None:
    log = OperationLog(tmp_path / "operations.jsonl")
    logs = ActorLogs(tmp_path, log)
    file = tmp_path / "session_2026" / "logs" / f"worker-abc-01000000-{actor.pid}.err"
    file.parent.mkdir(parents=True)
    with file.open("w", buffering=1) as writing:
        writing.write("a warning of some library\n" + json.dumps(STARTED)[:20])
        logs.look()
        assert log.entries == []
        writing.write(json.dumps(STARTED)[20:] + "\n")
        logs.look()
        assert [entry.what for entry in log.entries] == ["attempt_started"]
        writing.write(json.dumps({"event": "input_fetched"}) + "\n" + json.dumps(ENDED) + "\n")
        file.unlink()
        actor.kill()
        actor.wait()
        logs.look()
        logs.look()
    assert [entry.what for entry in log.entries] == ["attempt_started", "attempt_ended", "process_ended"]
    started, ended, _ = log.entries
    assert started.facts == {"pid": actor.pid, "job": "job-1", "attempt": 2, "time": started.facts["time"]}
    assert ended.facts["outcome"] == "succeeded"
    assert ended.facts["time"] - started.facts["time"] == 2.0
    assert {entry.facts["pid"] for entry in log.entries} == {actor.pid}


def test_the_log_on_disk_is_what_was_said(tmp_path: Path) -> None:
    log = OperationLog(tmp_path / "operations.jsonl")
    log.add("ok", "create", "somebody", job="job-1")
    log.close()
    (line,) = (tmp_path / "operations.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "at": log.entries[0].at,
        "phase": "ok",
        "what": "create",
        "who": "somebody",
        "facts": {"job": "job-1"},
    }
