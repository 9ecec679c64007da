"""Two processes that train together, and jobs for them."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.training.conftest import Job, make_job, tiny_base

ROOT = Path(__file__).parents[3]
COUNT = 2
START_S, JOB_S = 120.0, 60.0

__all__ = ["make_job", "tiny_base"]


@dataclass
class Together:
    """What the processes told of one job, the first one's first."""

    folder: Path
    told: list[dict[str, Any]]

    @property
    def stored(self) -> Path:
        return self.folder / "stored"

    def series(self, key: str) -> dict[int, float]:
        return {int(step): value for step, value in self.told[0]["points"][key].items()}


Run = Callable[..., Together]


@pytest.fixture(scope="session")
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.integration.distributed.process"]
    started = [
        subprocess.Popen(
            [*command, str(rank), str(COUNT), str(port)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for rank in range(COUNT)
    ]
    try:
        assert [_line(process) for process in started] == ["ready"] * COUNT
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.fixture
def together(processes: list[subprocess.Popen[str]], tmp_path: Path) -> Run:
    """Runs a job in both processes to its end.

    `earlier` is the folder of a training state; a set of the name `occupied` can't be stored.
    """

    def run(
        job: Job, directives: dict[int, int] | None = None, earlier: Path | None = None, occupied: str | None = None
    ) -> Together:
        folder = tmp_path / f"together-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        if occupied is not None:
            (folder / "stored" / occupied).mkdir(parents=True)
        (folder / "assignment").write_bytes(job.assignment.SerializeToString())
        inputs = {
            "base_model": job.inputs.base_model,
            "training": str(job.inputs.training_rows),
            "validation": job.inputs.validation_rows and str(job.inputs.validation_rows),
            "earlier": earlier and str(earlier),
            "teacher": job.inputs.teacher_model,
            "directives": directives or {},
        }
        (folder / "inputs.json").write_text(json.dumps(inputs))
        return Together(folder, ask(processes, folder))

    return run


def ask(processes: list[subprocess.Popen[str]], folder: Path) -> list[dict[str, Any]]:
    """Have the processes do what a folder asks for; answers what each told."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{folder}\n")
        process.stdin.flush()
    assert [_line(process) for process in processes] == [str(folder)] * COUNT
    return [json.loads((folder / f"told-{rank}.json").read_text()) for rank in range(COUNT)]


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
