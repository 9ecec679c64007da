"""A gibibyte up and a gibibyte down pass through Envoy without being held there."""

import hashlib
import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.integration.gateway.conftest import Gateway

pytestmark = pytest.mark.integration

GIB = 1024**3
CHUNK = bytes(range(256)) * 4096
MAX_HELD_BYTES = 200_000_000


class Peak:
    """The most memory a process held above what it held at first."""

    bytes_held = 0


@contextmanager
def peak_of(pid: int) -> Iterator[Peak]:
    process, peak, done = psutil.Process(pid), Peak(), threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        while not done.wait(0.02):
            peak.bytes_held = max(peak.bytes_held, process.memory_info().rss - before)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def test_an_upload_is_not_held(gateway: Gateway) -> None:
    chunks = GIB // len(CHUNK)
    with peak_of(gateway.envoy.pid) as peak:
        connection = http.client.HTTPConnection(gateway.address, timeout=120)
        headers = {"Content-Length": str(GIB)}
        connection.request("POST", "/v1/datasets:upload?filename=rows.jsonl", (CHUNK for _ in range(chunks)), headers)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
    expected = hashlib.sha256()
    for _ in range(chunks):
        expected.update(CHUNK)
    assert response.status == 200
    assert f'"size_bytes":"{GIB}"' in body
    assert expected.hexdigest() in body
    assert peak.bytes_held < MAX_HELD_BYTES


def test_a_download_waits_for_a_slow_reader(gateway: Gateway) -> None:
    received = 0
    with peak_of(gateway.envoy.pid) as peak:
        connection = http.client.HTTPConnection(gateway.address, timeout=120)
        connection.request("GET", f"/v1/jobs/j7/artifacts/{GIB}:download")
        response = connection.getresponse()
        # As much as the service can send by then would be held here if nothing held the service back.
        time.sleep(2)
        while piece := response.read(1024 * 1024):
            received += len(piece)
        connection.close()
    assert (response.status, received) == (200, GIB)
    assert peak.bytes_held < MAX_HELD_BYTES
