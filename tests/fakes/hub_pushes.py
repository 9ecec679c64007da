"""A hub that is pushed to: a real HTTP server on loopback that answers as the Hugging Face Hub does to its own client."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Larger files go through the store of large files.
_LARGE_BYTES = 4096
COMMIT = "5fb2e9c0a1b2c3d4e5f60718293a4b5c6d7e8f90"


@dataclass
class Pushed:
    """One repository."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)


class FakePushHub:
    """Repositories that were made, and what was put into them."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.repositories: dict[str, Pushed] = {}
        # Answered to each request that ends so, instead of what was asked.
        self.statuses: dict[str, int] = {}
        self.paths: list[str] = []
        self._blobs: dict[str, bytes] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler, method: str) -> None:
        """One request, answered on its own thread."""
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        path = handler.path.partition("?")[0]
        self.paths.append(f"{method} {path}")
        status = next((status for end, status in self.statuses.items() if path.endswith(end)), 0)
        if status:
            _send(handler, status, {"error": "the test says so"})
        elif path.startswith("/blobs/"):
            self._blobs[path.removeprefix("/blobs/")] = body
            _send(handler, 200, {})
        elif handler.headers.get("authorization") != f"Bearer {self.token}":
            _send(handler, 401, {"error": "Invalid username or password."})
        elif path == "/api/validate-yaml":
            self._validate(handler, json.loads(body))
        elif path == "/api/repos/create":
            self._create(handler, json.loads(body))
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            modes = [
                {"path": one["path"], "uploadMode": "lfs" if one["size"] > _LARGE_BYTES else "regular", "shouldIgnore": False}
                for one in files
            ]
            _send(handler, 200, {"files": modes})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = [
                one | {"actions": {"upload": {"href": f"{self.url}/blobs/{one['oid']}"}}} for one in json.loads(body)["objects"]
            ]
            _send(handler, 200, {"transfer": "basic", "objects": objects})
        elif "/commit/" in path:
            self._commit(handler, path.removeprefix("/api/models/").partition("/commit/")[0], body)
        else:
            _send(handler, 404, {"error": "no such thing"})

    def _validate(self, handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> None:
        # The hub refuses names in a card that could be none of its own.
        wrong = [] if "/" in asked["content"] or "datasets" not in asked["content"] else [{"message": "datasets[0] is not valid"}]
        _send(handler, 400 if wrong else 200, {"errors": wrong, "warnings": []})

    def _create(self, handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
        if name in self.repositories:
            _send(handler, 409, {"error": "You already created this model repo", "url": f"{self.url}/{name}"})
            return
        private = asked.get("private") is True or asked.get("visibility") == "private"
        self.repositories[name] = Pushed(private)
        _send(handler, 200, {"url": f"{self.url}/{name}"})

    def _commit(self, handler: BaseHTTPRequestHandler, name: str, body: bytes) -> None:
        repository = self.repositories[name]
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header":
                repository.messages.append(value["summary"])
            elif entry["key"] == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                blob = self._blobs[value["oid"]]
                assert hashlib.sha256(blob).hexdigest() == value["oid"]
                repository.files[value["path"]] = blob
        _send(handler, 200, {"commitUrl": f"{self.url}/{name}/commit/{COMMIT}", "commitOid": COMMIT})


@contextmanager
def push_hub(token: str) -> Iterator[FakePushHub]:
    """A hub for the length of a test."""
    hub = FakePushHub(token)
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


def _send(handler: BaseHTTPRequestHandler, status: int, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _handler(hub: FakePushHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.answer(self, "GET")

        def do_POST(self) -> None:
            hub.answer(self, "POST")

        def do_PUT(self) -> None:
            hub.answer(self, "PUT")

        def log_message(self, format: str, *arguments: object) -> None:
            """A test's output is its own."""

    return Handler
