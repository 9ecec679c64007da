"""A hub of models: a real HTTP server on loopback that answers as the Hugging Face Hub does, faults included.

Large files are redirected to another origin, as the hub does with what lies in its object store; a token must not follow them.
"""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

_LARGE_BYTES = 512
COMMIT = "5fb2e9c0a1b2c3d4e5f60718293a4b5c6d7e8f90"


class Fault(Enum):
    """What goes wrong with one answer."""

    # Nothing comes, and nothing ends.
    HANG = "hang"
    # The connection ends before the announced length.
    TRUNCATED = "truncated"
    # A whole answer of other bytes.
    OTHER_BYTES = "other bytes"
    UNAVAILABLE = "503"
    NO_JSON = "no json"


@dataclass
class Repository:
    """One model's repository."""

    files: Mapping[str, bytes]
    private: bool = False
    gated: bool = False
    # Who shows it is given everything.
    token: str | None = None
    card: Mapping[str, Any] | None = None
    commit: str = COMMIT


@dataclass
class Request:
    """One request as it came."""

    path: str
    authorization: str | None
    host: str


class FakeHub:
    """Repositories by name, and what was asked of them."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        # Faults by the end of a path, each taken once, in order.
        self.faults: dict[str, list[Fault]] = {}
        self.requests: list[Request] = []
        # Taken before the second half of a file is sent, if set.
        self.gate: threading.Semaphore | None = None
        # Files whose first half was sent, and that wait at the gate.
        self.held = 0
        self._blobs: dict[str, bytes] = {}
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, repo: str, files: Mapping[str, bytes], **settings: Any) -> Repository:
        self.repositories[repo] = Repository(files, **settings)
        return self.repositories[repo]

    def asked_for(self, end: str) -> int:
        """How often a path that ends so was asked for."""
        return sum(request.path.endswith(end) for request in self.requests)

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """One request, answered on its own thread."""
        path = unquote(urlsplit(handler.path).path)
        self.requests.append(Request(path, handler.headers.get("authorization"), handler.headers.get("host", "")))
        fault = next((faults.pop(0) for end, faults in self.faults.items() if faults and path.endswith(end)), None)
        if fault is Fault.HANG:
            self._over.wait()
        elif fault is Fault.UNAVAILABLE:
            _send(handler, 503, b"try later")
        elif fault is Fault.NO_JSON:
            _send(handler, 200, b"<html>a captive portal</html>")
        elif path.startswith("/blobs/"):
            self._send_file(handler, self._blobs[path.removeprefix("/blobs/")], fault)
        elif path.startswith("/api/models/"):
            self._describe(handler, path.removeprefix("/api/models/"))
        else:
            self._resolve(handler, path, fault)

    def _describe(self, handler: BaseHTTPRequestHandler, rest: str) -> None:
        repo, _, revision = rest.partition("/revision/")
        repository = self.repositories.get(repo)
        if repository is None or (repository.private and not self._may(handler, repository)):
            _send(handler, 401, b"{}", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        elif revision not in ("", "main", repository.commit):
            _send(handler, 404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        else:
            _send(handler, 200, json.dumps(_description(repo, repository)).encode(), {"Content-Type": "application/json"})

    def _resolve(self, handler: BaseHTTPRequestHandler, path: str, fault: Fault | None) -> None:
        repo, _, rest = path.removeprefix("/").partition("/resolve/")
        repository = self.repositories[repo]
        content = repository.files.get(rest.partition("/")[2])
        if (repository.gated or repository.private) and not self._may(handler, repository):
            code = 401 if handler.headers.get("authorization") is None else 403
            _send(handler, code, b"{}", {"X-Error-Code": "GatedRepo"})
        elif content is None:
            _send(handler, 404, b"{}", {"X-Error-Code": "EntryNotFound"})
        elif len(content) > _LARGE_BYTES and fault is None:
            digest = hashlib.sha256(content).hexdigest()
            self._blobs[digest] = content
            _send(handler, 302, b"", {"Location": f"http://localhost:{self.port}/blobs/{digest}"})
        else:
            self._send_file(handler, content, fault)

    def _send_file(self, handler: BaseHTTPRequestHandler, content: bytes, fault: Fault | None) -> None:
        if fault is Fault.OTHER_BYTES:
            content = b"!" * len(content)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        half = len(content) // 2
        handler.wfile.write(content[:half])
        handler.wfile.flush()
        if fault is Fault.TRUNCATED:
            handler.close_connection = True
            return
        if self.gate is not None and half > _LARGE_BYTES // 2:
            self.held += 1
            while not self._over.is_set() and not self.gate.acquire(timeout=0.05):
                pass
            self.held -= 1
        handler.wfile.write(content[half:])

    def _may(self, handler: BaseHTTPRequestHandler, repository: Repository) -> bool:
        return repository.token is not None and handler.headers.get("authorization") == f"Bearer {repository.token}"


@contextmanager
def running_hub() -> Iterator[FakeHub]:
    """A hub for the length of a test."""
    hub = FakeHub()
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


def _description(repo: str, repository: Repository) -> dict[str, Any]:
    siblings = []
    for name, content in repository.files.items():
        sibling: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": hashlib.sha1(content).hexdigest()}
        if len(content) > _LARGE_BYTES:
            sibling["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
        siblings.append(sibling)
    return {
        "id": repo,
        "sha": repository.commit,
        "private": repository.private,
        "gated": "manual" if repository.gated else False,
        "cardData": repository.card,
        "tags": ["transformers"],
        "siblings": siblings,
    }


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.answer(self)

        def log_message(self, format: str, *arguments: object) -> None:
            """A test's output is its own."""

    return Handler
