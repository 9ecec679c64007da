"""How fast a control plane takes in rows, what that holds of memory, and how fast it counts them.

Rows are as long as Alpaca's, of words that compress like English, and no two of them are equal for eight megabytes; files repeat
such blocks. Speed is of the rows as they are stored, so that a compressed file is not faster for being small.
"""

import http.client
import json
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
from pyarrow import csv, parquet

from bench.plane import Plane

MB, MIB = 10**6, 1024**2
SAMPLE_S = 0.1
PIECE_BYTES = MIB
BLOCK_BYTES = 8 * MB
# Of the instructions and of the answers of Alpaca's rows: the mean and the spread of the logarithm of their words.
QUESTION_WORDS, ANSWER_WORDS = (2.6, 0.5), (4.0, 0.8)
_WORDS = 4000

Row = dict[str, Any]


def alpaca_rows(generator: random.Random) -> Row:
    """An instruction with its answer, and in four of ten an input."""
    words = _vocabulary()
    question, answer = (_text(generator, words, shape) for shape in (QUESTION_WORDS, ANSWER_WORDS))
    return {"instruction": question, "input": question if generator.random() < 0.4 else "", "output": answer}


def message_rows(generator: random.Random) -> Row:
    """A conversation of two or four turns."""
    words = _vocabulary()
    turns = [
        {"role": role, "content": _text(generator, words, shape)}
        for _ in range(generator.choice((1, 2)))
        for role, shape in (("user", QUESTION_WORDS), ("assistant", ANSWER_WORDS))
    ]
    return {"messages": turns}


def write_jsonl(path: Path, row: Callable[[random.Random], Row], byte_count: int) -> Path:
    """A file of at least so many bytes."""
    block = b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in _block(row))
    with path.open("wb") as file:
        for _ in range(-(-byte_count // len(block))):
            file.write(block)
    return path


def write_csv(path: Path, row: Callable[[random.Random], Row], byte_count: int) -> Path:
    """The same as CSV with a header."""
    table = pa.Table.from_pylist(_block(row))
    with path.open("wb") as file, csv.CSVWriter(file, table.schema) as writer:
        while file.tell() < byte_count:
            writer.write_table(table)
    return path


def write_parquet(path: Path, row: Callable[[random.Random], Row], byte_count: int) -> Path:
    """The same as Parquet with the settings that its writers have by themselves; so many bytes before they are compressed."""
    rows = _block(row)
    size = sum(len(json.dumps(each, ensure_ascii=False).encode()) + 1 for each in rows)
    table = pa.Table.from_pylist(rows)
    with parquet.ParquetWriter(path, table.schema) as writer:
        for _ in range(-(-byte_count // size)):
            writer.write_table(table)
    return path


def upload(plane: Plane, file: Path, idle: dict[str, int]) -> dict[str, float]:
    """Post a file while memory is sampled. Answers the speed, and what was held above `idle` at the most."""
    peak = dict(idle)
    done = threading.Event()

    def sample() -> None:
        while not done.wait(SAMPLE_S):
            for part, value in memory(plane).items():
                peak[part] = max(peak[part], value)

    sampler = threading.Thread(target=sample)
    sampler.start()
    size, sent = file.stat().st_size, 0.0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        with file.open("rb") as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece
        sent = time.monotonic() - begin

    begin = time.monotonic()
    try:
        dataset = _call(plane, "POST", f"/v1/datasets:upload?filename={file.name}", pieces(), size)["dataset"]
        seconds = time.monotonic() - begin
    finally:
        done.set()
        sampler.join()
    # The record may stay; its bytes would fill the disk round by round.
    shutil.rmtree(plane.home / "datasets" / dataset["id"])
    return {
        "mb_per_s": round(int(dataset["size_bytes"]) / MB / seconds, 1),
        # How long a client's bar stands at its end: what is left to do once all is sent.
        "after_sent_s": round(seconds - sent, 2),
        "services_above_idle_mib": round((peak["services"] - idle["services"]) / MIB, 1),
        "gateway_above_idle_mib": round((peak["gateway"] - idle["gateway"]) / MIB, 1),
    }


def count(plane: Plane, file: Path, base_model: str) -> dict[str, float]:
    """Seconds until a dataset that was just uploaded is counted, by estimate and by a tokenizer."""
    with file.open("rb") as stream:
        path = f"/v1/datasets:upload?filename={file.name}"
        dataset = _call(plane, "POST", path, stream.read(), file.stat().st_size)["dataset"]
    found = {}
    for name, query in (("estimated_s", ""), ("tokenised_s", f"?base_model={base_model}"), ("remembered_s", "")):
        begin = time.monotonic()
        answer = _call(plane, "GET", f"/v1/datasets/{dataset['id']}/statistics{query}", b"", 0)["statistics"]
        found[name] = round(time.monotonic() - begin, 3)
        if int(answer["row_count"]) != int(dataset["row_count"]) or bool(query) != bool(answer["tokenizer_base_model_id"]):
            raise RuntimeError(f"the dataset was counted wrongly: {answer}")
    shutil.rmtree(plane.home / "datasets" / dataset["id"])
    return found


def memory(plane: Plane) -> dict[str, int]:
    """PSS of the services with the processes they start, and of the gateway, in bytes."""
    return {"services": _family_pss(plane.services.pid), "gateway": _family_pss(plane.gateway.pid)}


def _family_pss(pid: int) -> int:
    total = 0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return total


def _call(plane: Plane, method: str, path: str, body: Any, size: int) -> Any:
    connection = http.client.HTTPConnection(plane.address, timeout=600)
    try:
        connection.request(method, path, body, {"content-length": str(size)})
        response = connection.getresponse()
        answer = json.loads(response.read())
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise RuntimeError(f"{method} {path} was answered with {response.status}: {answer}")
    return answer


def _block(row: Callable[[random.Random], Row]) -> list[Row]:
    generator = random.Random(20261121)
    rows: list[Row] = []
    size = 0
    while size < BLOCK_BYTES:
        rows.append(row(generator))
        size += len(json.dumps(rows[-1], ensure_ascii=False).encode()) + 1
    return rows


def _text(generator: random.Random, words: list[str], shape: tuple[float, float]) -> str:
    count = max(1, round(generator.lognormvariate(*shape)))
    # Few words are common and many are rare, as in a language.
    return " ".join(words[int(_WORDS * generator.random() ** 3)] for _ in range(count))


@cache
def _vocabulary() -> list[str]:
    generator = random.Random(1)
    letters = "eeeeetttaaaooiinnsshhrrddllucmfwygpbvköäü"
    return ["".join(generator.choices(letters, k=generator.randint(1, 9))) for _ in range(_WORDS)]
