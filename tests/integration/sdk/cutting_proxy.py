"""A network that breaks: every connection through it ends after a while, wherever its bytes then are."""

import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

# Reset instead of close: what was on its way is lost, as when a cable is pulled.
_RESET = struct.pack("ii", 1, 0)


class CuttingProxy:
    """Forwards to a port of loopback, each connection for a random while of at most `longest_s` or a random number of bytes."""

    def __init__(self, port: int, seed: int, longest_s: float, longest_bytes: int) -> None:
        self._target = ("127.0.0.1", port)
        self._random = random.Random(seed)
        self._longest_s, self._longest_bytes = longest_s, longest_bytes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self.port = self._listener.getsockname()[1]
        self.cuts = 0

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                seconds = self._random.uniform(0.02, self._longest_s)
                size = self._random.randrange(1, self._longest_bytes)
                threading.Thread(target=self._forward, args=(client, seconds, size), daemon=True).start()

    def _forward(self, client: socket.socket, seconds: float, size: int) -> None:
        with client, socket.create_connection(self._target) as server:
            up = threading.Thread(target=_pump, args=(client, server), daemon=True)
            up.start()
            end = time.monotonic() + seconds
            with contextlib.suppress(OSError):
                while size > 0 and (left := end - time.monotonic()) > 0:
                    server.settimeout(left)
                    piece = server.recv(size)
                    if not piece:
                        break
                    client.sendall(piece)
                    size -= len(piece)
            self.cuts += 1
            # A socket that a thread still reads from isn't closed by close: wake it first.
            for end_of_it, how in ((client, socket.SHUT_RD), (server, socket.SHUT_RDWR)):
                with contextlib.suppress(OSError):
                    end_of_it.shutdown(how)
            up.join()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        # Closing alone would leave the thread in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)


@contextmanager
def cutting(port: int, seed: int, longest_s: float = 0.8, longest_bytes: int = 6000) -> Iterator[CuttingProxy]:
    """A proxy in front of a port."""
    proxy = CuttingProxy(port, seed, longest_s, longest_bytes)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
