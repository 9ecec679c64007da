"""The console's files as routes of the gateway: one a file, so that no path can lead to anything else."""

import json
from pathlib import Path
from typing import Any

from supervisor.settings_error import EnvoySettingsError

INDEX = "index.html"
# The script that foreign pages name; what it loads is named for its content.
ELEMENTS = "tunesmith.js"
ASSETS = "assets"
_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
# As the build leaves them beside each file, best first; the empty one is the file itself.
_ENCODINGS = {"br": ".br", "gzip": ".gz", "": ""}
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"
Route = dict[str, Any]


def asset_routes(folder: Path) -> list[Route]:
    """A route for every file but the page itself, in each encoding that it was stored in.

    Pages of other origins load the elements from them, as far as the gateway lets those origins in at all. The files hold nothing
    of anybody's, so each may read them; Envoy's CORS filter passes over what it answers itself.
    """
    files = [folder / ELEMENTS, *sorted(path for path in (folder / ASSETS).iterdir() if path.suffix not in (".br", ".gz"))]
    readable = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}
    return [route for file in files for route in _routes({"path": f"/{file.relative_to(folder)}"}, file, readable)]


def page_routes(folder: Path) -> list[Route]:
    """The console at every address that a browser opens and that nothing else answers: its pages have addresses of their own."""
    pages = {"prefix": "/", "headers": [_header("accept", "contains", "text/html"), _method_of_reading()]}
    return _routes(pages, folder / INDEX, {})


def _routes(match: dict[str, Any], file: Path, headers: dict[str, str]) -> list[Route]:
    if not file.exists():
        raise EnvoySettingsError(f"{file} is missing: run `make setup`, which builds the console")
    return [
        _route(match, file, encoding, stored, headers)
        for encoding, ending in _ENCODINGS.items()
        if (stored := file.with_name(file.name + ending)).exists()
    ]


def _route(match: dict[str, Any], file: Path, encoding: str, stored: Path, own: dict[str, str]) -> Route:
    cache = _FOR_EVER if file.parent.name == ASSETS else _ASK_EACH_TIME
    headers = {"content-type": _CONTENT_TYPES[file.suffix], "cache-control": cache, "vary": "accept-encoding", **own}
    if encoding:
        headers["content-encoding"] = encoding
        match = match | {"headers": [*match.get("headers", []), _header("accept-encoding", "contains", encoding)]}
    return {
        "match": match,
        "direct_response": {"status": 200, "body": {"filename": str(stored)}},
        "response_headers_to_add": [
            {"append_action": "OVERWRITE_IF_EXISTS_OR_ADD", "header": {"key": key, "value": value}}
            for key, value in headers.items()
        ],
        # It answers 404 to every address that is no call.
        "typed_per_filter_config": {
            "envoy.filters.http.grpc_json_transcoder": {
                "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
                "disabled": True,
            }
        },
    }


def _header(name: str, how: str, value: str) -> dict[str, Any]:
    return {"name": name, "string_match": {how: value}}


def _method_of_reading() -> dict[str, Any]:
    return {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}


def largest_file(folder: Path) -> int:
    """Bytes of the largest file: Envoy holds each of them whole and has to be told how large one may be."""
    return max(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def in_yaml(routes: list[Route], indentation: int) -> str:
    """Routes as lines of a YAML list; JSON is YAML."""
    return f"\n{' ' * indentation}".join(f"- {json.dumps(route)}" for route in routes)
