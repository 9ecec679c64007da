"""Runs an upload's bytes through the intake, as the service does, without the service."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tunesmith.registry.v1 import dataset_pb2

from services.chassis.errors import InvalidArgument, ServiceError
from services.registry.ingest.intake import ROWS_FILE, Intake, Limits

MIB = 1024 * 1024
WIDE = Limits(dataset_bytes=64 * MIB, row_bytes=MIB)


def read(
    data: bytes,
    filename: str = "rows.jsonl",
    *,
    declared: dataset_pb2.DatasetFormat = dataset_pb2.DATASET_FORMAT_UNSPECIFIED,
    piece_bytes: int = MIB,
    limits: Limits = WIDE,
) -> tuple[dataset_pb2.Dataset, bytes]:
    """What the intake says of a file, and the rows as it stored them."""
    with tempfile.TemporaryDirectory(prefix="tsm-") as folder:
        intake = Intake(Path(folder), filename, declared, limits)
        try:
            for start in range(0, len(data), piece_bytes):
                intake.feed(data[start : start + piece_bytes])
            dataset = intake.finish()
        finally:
            intake.close()
        assert [path.name for path in Path(folder).iterdir()] == [ROWS_FILE]
        return dataset, (Path(folder) / ROWS_FILE).read_bytes()


def refusal(data: bytes, filename: str = "rows.jsonl", **options: object) -> ServiceError:
    """The error a file is refused with."""
    try:
        read(data, filename, **options)  # type: ignore[arg-type]
    except ServiceError as error:
        return error
    raise AssertionError("the file should have been refused")


def problems(data: bytes, filename: str = "rows.jsonl", **options: object) -> list[str]:
    """What is wrong with a file's rows, in the order of the answer."""
    error = refusal(data, filename, **options)
    assert isinstance(error, InvalidArgument), error
    assert {field for field, _ in error.violations} == {"data"}
    return [text for _, text in error.violations]


def jsonl(rows: Sequence[str]) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def broken_at_17(bad: str, good: str = '{"text": "a"}') -> bytes:
    """Twenty lines of which the seventeenth is bad."""
    return jsonl([good] * 16 + [bad] + [good] * 3)
