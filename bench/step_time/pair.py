"""A process that trains, and pairs of a prediction and what then happened."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from google.protobuf.json_format import ParseDict
from tunesmith.pool.v1 import pool_pb2
from tunesmith.registry.v1 import base_model_pb2

from bench import family
from bench.memory.shapes import base_model, write_model, write_rows
from bench.record import ROOT
from bench.step_time.cases import SHAPES, Case
from bench.step_time.trainer import MARK
from services.preflight.estimate.throughput import estimate_throughput
from services.preflight.estimate.workload import Workload
from workers.providers.local.provider import LOCAL


class Pairs:
    """Probes, predicts and trains in one warm process."""

    def __init__(self, cases: tuple[Case, ...]) -> None:
        self._cases = cases
        self._models: dict[str, base_model_pb2.BaseModel] = {}

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="tss-")
        folder = Path(self._folder.name)
        for case in self._cases:
            if case.shape not in self._models:
                self._models[case.shape] = base_model(SHAPES[case.shape])
                write_model(SHAPES[case.shape], folder / case.shape / "base")
            rows = folder / case.shape / f"{case.name}.jsonl"
            write_rows(rows, [case.row_tokens] * case.row_count, SHAPES[case.shape]["vocab_size"])
        with (folder / "said").open("wb") as said:
            command = [sys.executable, "-m", "bench.step_time.trainer", str(folder)]
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True
            )
        try:
            self._answer()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        family.end(self._process)
        self._folder.cleanup()

    def measure(self, case: Case) -> dict[str, float]:
        """Probe, predict, train: the seconds of a step as predicted and as they were, the median of a job's steps."""
        device = ParseDict(self._ask("probe"), pool_pb2.Device())
        measured = self._ask(f"train {self._folder.name}/{case.shape} {case.name}")["step_seconds"]
        return {"predicted_s": self.predict(case, device), "measured_s": measured, "probe_s": device.measurement.probe_seconds}

    def predict(self, case: Case, device: pool_pb2.Device) -> float:
        """For local's own trainer."""
        configuration = case.configuration()
        assert LOCAL.execution is not None
        execution = LOCAL.execution(configuration)
        tokens = case.row_tokens
        workload = Workload(self._models[case.shape], configuration, execution, case.row_count, tokens, tokens, device)
        estimate = estimate_throughput(workload)
        assert estimate is not None
        return estimate.step_seconds

    def _ask(self, words: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{words}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(MARK):
                answer: dict[str, Any] = json.loads(line.removeprefix(MARK))
                return answer
        said = (Path(self._folder.name) / "said").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the trainer ended:\n{said}")
