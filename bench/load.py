"""Closed loops of calls from processes of their own: a client of one process would be slower than the server it measures.

gRPC goes out as ready bytes, so that a client's share of two cores is mostly gRPC's own; JSON goes over plain sockets.
"""

import asyncio
import multiprocessing
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any, Protocol

import grpc
import psutil

WARM_UP_CALLS = 3
TIMEOUT_S = 120.0
# For loads that end with their requests instead of with the time.
LONGEST_COUNT_S = 600.0
STOP_S = 10.0


class Source(Protocol):
    """The calls of one loop. It crosses to a process, so it holds plain values only."""

    def requests(self) -> Iterator[bytes]:
        """One request after another, for ever or until there are enough."""


@dataclass(frozen=True)
class Repeated:
    """One of some requests after another, for ever, beginning at a place of its own."""

    bodies: Sequence[bytes]
    first: int = 0

    def requests(self) -> Iterator[bytes]:
        index = self.first
        while True:
            yield self.bodies[index % len(self.bodies)]
            index += 1


@dataclass(frozen=True)
class Load:
    """What is called, where, and for how long. An empty `method` means JSON: the requests are whole HTTP requests."""

    address: str
    method: str
    seconds: float


@dataclass(frozen=True)
class Latencies:
    """What came of a load. CPU times are of the processes named, per call."""

    calls: int
    calls_per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_us: dict[str, float]


def run(load: Load, sources: Sequence[Source], processes: int, watched: dict[str, int] | None = None) -> Latencies:
    """One closed loop a source, spread over processes; `watched` are processes whose CPU time is counted, by name.

    Raises RuntimeError if a call fails: figures of failing calls mean nothing.
    """
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(processes + 1), context.Queue()
    target = _grpc_loops if load.method else _json_loops
    shares = [list(sources[index::processes]) for index in range(processes)]
    clients = [context.Process(target=_client, args=(target, load, share, barrier, answers), daemon=True) for share in shares]
    for client in clients:
        client.start()
    try:
        with suppress(threading.BrokenBarrierError):
            barrier.wait(TIMEOUT_S)
        before = _cpu_seconds(watched or {})
        found = [_next_answer(load, answers) for _ in clients]
        used = {name: seconds - before[name] for name, seconds in _cpu_seconds(watched or {}).items()}
    finally:
        for client in clients:
            client.join(STOP_S)
            client.kill()
    return _latencies(found, used)


def _next_answer(load: Load, answers: Any) -> tuple[float, float, list[float]]:
    """What a client measured. Raises RuntimeError with what went wrong there."""
    patience_s = TIMEOUT_S + (load.seconds if load.seconds < float("inf") else LONGEST_COUNT_S)
    try:
        error, begin, end, times = answers.get(timeout=patience_s)
    except queue.Empty:
        raise RuntimeError(f"a client of {load.method or 'JSON'} did not answer within {patience_s:.0f} s") from None
    if error:
        raise RuntimeError(f"{load.method or 'JSON'} failed under load: {error}")
    return begin, end, times


def _latencies(found: Sequence[tuple[float, float, list[float]]], used: dict[str, float]) -> Latencies:
    seconds = sorted(one for _, _, times in found for one in times)
    wall = max(end for _, end, _ in found) - min(begin for begin, _, _ in found)
    return Latencies(
        calls=len(seconds),
        calls_per_s=round(len(seconds) / wall, 1),
        p50_ms=round(1000 * seconds[len(seconds) // 2], 3),
        p99_ms=round(1000 * seconds[int(0.99 * len(seconds))], 3),
        max_ms=round(1000 * seconds[-1], 3),
        cpu_us={name: round(1e6 * cpu / len(seconds), 1) for name, cpu in used.items()},
    )


def _cpu_seconds(watched: dict[str, int]) -> dict[str, float]:
    times = {name: psutil.Process(pid).cpu_times() for name, pid in watched.items()}
    return {name: time.user + time.system for name, time in times.items()}


def _client(target: Callable[..., Any], load: Load, sources: list[Source], barrier: Barrier, answers: Any) -> None:
    """A client's process: warm up, wait for the others, loop, and tell."""
    begin = time.monotonic()
    try:
        begin, end, times = target(load, sources, lambda: barrier.wait(TIMEOUT_S))
        answers.put(("", begin, end, times))
    except Exception as error:
        # First, so that nobody hears of the others before the one whose fault it was.
        answers.put((f"{type(error).__name__}: {error}", begin, begin, []))
        barrier.abort()


def _grpc_loops(load: Load, sources: list[Source], ready: Callable[[], Any]) -> tuple[float, float, list[float]]:
    return asyncio.run(_aio_loops(load, sources, ready))


async def _aio_loops(load: Load, sources: list[Source], ready: Callable[[], Any]) -> tuple[float, float, list[float]]:
    times: list[float] = []
    async with grpc.aio.insecure_channel(load.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        call = channel.unary_unary(load.method, _registered_method=False)
        streams = [source.requests() for source in sources]
        for stream in streams:
            for _ in range(WARM_UP_CALLS):
                await call(next(stream))

        async def loop(stream: Iterator[bytes], end: float) -> None:
            for request in stream:
                begin = time.perf_counter()
                await call(request)
                now = time.perf_counter()
                times.append(now - begin)
                if now >= end:
                    return

        await asyncio.to_thread(ready)
        begin = time.monotonic()
        deadline = time.perf_counter() + load.seconds
        await asyncio.gather(*(loop(stream, deadline) for stream in streams))
        return begin, time.monotonic(), times


def _json_loops(load: Load, sources: list[Source], ready: Callable[[], Any]) -> tuple[float, float, list[float]]:
    streams = [_JsonStream(load.address, source) for source in sources]
    for stream in streams:
        for _ in range(WARM_UP_CALLS):
            stream.call()
    ready()
    begin = time.monotonic()
    deadline = time.perf_counter() + load.seconds
    threads = [threading.Thread(target=stream.loop, args=(deadline,)) for stream in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for stream in streams:
        if stream.error is not None:
            raise stream.error
    return begin, time.monotonic(), [one for stream in streams for one in stream.times]


class _JsonStream:
    """One connection that is kept open."""

    def __init__(self, address: str, source: Source) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests = source.requests()
        self.times: list[float] = []
        self.error: Exception | None = None

    def call(self) -> None:
        self._socket.sendall(next(self._requests))
        answer = self._socket.recv(1 << 20)
        while (head_end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._more()
        head = answer[:head_end].lower()
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(f"answered {answer[:500]!r}")
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        missing = head_end + 4 + length - len(answer)
        while missing > 0:
            missing -= len(self._more())

    def loop(self, deadline: float) -> None:
        try:
            while (begin := time.perf_counter()) < deadline:
                self.call()
                self.times.append(time.perf_counter() - begin)
        except Exception as error:
            self.error = error

    def _more(self) -> bytes:
        more = self._socket.recv(1 << 20)
        if not more:
            raise ConnectionError("the gateway closed the connection")
        return more
