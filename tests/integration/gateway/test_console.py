"""The console's files: which addresses they have, how they travel, and what the page may do."""

import gzip
import re
from pathlib import Path

import pytest

from supervisor.envoy import CONSOLE
from tests.integration.gateway.conftest import ALLOWED_ORIGIN, Answer, Gateway

pytestmark = pytest.mark.integration

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ENDINGS = (".br", ".gz")
ASSETS = sorted(path for path in (CONSOLE / "assets").iterdir() if path.suffix not in ENDINGS)


def _is_the_page(answer: Answer) -> bool:
    return answer.status == 200 and b'<div id="console"></div>' in answer.body


@pytest.mark.parametrize("path", ["/", "/jobs", "/jobs/0198c0de", "/datasets?format=2", "/no/such/page"])
def test_every_address_that_a_browser_opens_is_the_console(gateway: Gateway, path: str) -> None:
    answer = gateway.get(path, BROWSER)
    assert _is_the_page(answer)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


def test_the_page_may_load_and_call_what_is_ours_and_nothing_else(gateway: Gateway) -> None:
    headers = gateway.get("/", BROWSER).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert policy.pop("trusted-types") == "'none'"
    assert {name for name, value in policy.items() if value == "'self'"} == {"script-src", "style-src", "img-src", "connect-src"}
    assert {name for name, value in policy.items() if value == "'none'"} == policy.keys() - {
        *("script-src", "style-src", "img-src", "connect-src")
    }
    assert {"default-src", "base-uri", "form-action", "frame-ancestors"} <= policy.keys()
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_the_page_has_nothing_inline(gateway: Gateway) -> None:
    page = gateway.get("/", BROWSER).body.decode()
    assert not re.search(r"<script(?![^>]*src=)|<style|style=|\son\w+=", page)


def test_a_program_gets_an_error_it_can_read(gateway: Gateway) -> None:
    answer = gateway.get("/no/such/page", {"Accept": "*/*"})
    assert (answer.status, answer.json()["code"]) == (404, 5)
    assert gateway.call("POST", "/jobs", b"{}", BROWSER).status == 404


@pytest.mark.parametrize("path", ["/v1/pools", "/v1/nothing", "/tunesmith.worker.v1.WorkerService/Lease"])
def test_calls_are_no_pages(gateway: Gateway, path: str) -> None:
    assert not _is_the_page(gateway.get(path, {"Accept": "application/json"}))


@pytest.mark.parametrize("path", ["/assets/", "/assets/none.js", "/assets/../index.html", "/index.html.br", "/assets/%2e%2e/x"])
def test_only_what_was_built_has_an_address(gateway: Gateway, path: str) -> None:
    assert gateway.get(path).status in (400, 404)


@pytest.mark.parametrize("file", [*ASSETS, CONSOLE / "tunesmith.js"], ids=lambda file: file.name)
def test_a_file_arrives_as_it_was_built(gateway: Gateway, file: Path) -> None:
    path = f"/{file.relative_to(CONSOLE)}"
    plain = gateway.get(path)
    assert (plain.status, plain.body) == (200, file.read_bytes())
    packed = gateway.get(path, {"Accept-Encoding": "gzip, deflate"})
    assert (packed.headers["content-encoding"], gzip.decompress(packed.body)) == ("gzip", file.read_bytes())
    best = gateway.get(path, {"Accept-Encoding": "gzip, deflate, br, zstd"})
    assert best.headers["content-encoding"] == "br"
    assert best.body == file.with_name(f"{file.name}.br").read_bytes()
    assert plain.headers["vary"] == "accept-encoding"


def test_files_named_for_their_content_are_kept_and_the_others_asked_for_again(gateway: Gateway) -> None:
    assert ASSETS
    assert "immutable" in gateway.get(f"/assets/{ASSETS[0].name}").headers["cache-control"]
    assert gateway.get("/tunesmith.js").headers["cache-control"] == "no-cache"


def test_an_allowed_page_may_load_the_elements(gateway: Gateway) -> None:
    answer = gateway.get("/tunesmith.js", {"Origin": ALLOWED_ORIGIN})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert gateway.get("/tunesmith.js", {"Origin": "https://evil.example"}).status == 403
