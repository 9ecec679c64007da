"""Reads `tests/golden/*.json`, which TypeScript reads too: a configuration a case, and what every validator says of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration

GOLDEN = Path(__file__).parent.parent / "golden"


@dataclass(frozen=True)
class GoldenCase:
    """A configuration in proto JSON, and its violations: field path, rule id, and the sentence that a person reads."""

    name: str
    configuration: dict[str, Any]
    violations: tuple[tuple[str, str, str], ...]

    def message(self) -> JobConfiguration:
        """The configuration as a message."""
        return json_format.ParseDict(self.configuration, JobConfiguration())


def golden_cases() -> list[GoldenCase]:
    """Every case of every file."""
    return [
        GoldenCase(case["name"], case["configuration"], tuple((path, rule, text) for path, rule, text in case["violations"]))
        for file in sorted(GOLDEN.glob("*.json"))
        for case in json.loads(file.read_text())
    ]
