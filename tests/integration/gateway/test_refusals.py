"""What the gateway refuses by itself: always JSON of one shape, with the field and what to do."""

import json
import socket
from dataclasses import dataclass

import pytest

from tests.integration.gateway.conftest import Answer, Gateway

pytestmark = pytest.mark.integration

JSON_LIMIT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Case:
    """A request, and what its refusal has to say."""

    name: str
    method: str
    path: str
    status: int
    code: int
    says: tuple[str, ...]
    body: str | bytes | None = None
    field: str | None = None


def _configured(section: str) -> str:
    return '{"provider": "local", "configuration": {' + section + "}}"


def _create(name: str, body: str | bytes, *says: str, field: str | None = None) -> Case:
    return Case(name, "POST", "/v1/jobs", 400, 3, says, body, field)


NESTED = '{"configuration": {"metadata": {"a": ' + "[" * 100_000 + "]" * 100_000 + "}}}"
CASES = [
    Case("unknown path", "GET", "/v1/nothing", 404, 5, ("GET /v1/nothing", "/v1")),
    Case("unknown path outside", "GET", "/nothing?secret=1", 404, 5, ("GET /nothing.",)),
    Case("unknown method", "DELETE", "/v1/jobs/j7", 404, 5, ("DELETE /v1/jobs/j7",)),
    Case("escaped slash", "GET", "/v1/base-models/tunesmith%2Fpico", 400, 3, ("%2F", "/v1/base-models/")),
    Case("the agents' door", "POST", "/tunesmith.worker.v1.WorkerService/Lease", 404, 5, ("There is no",), "{}"),
    Case("unknown parameter", "GET", "/v1/jobs?page=2", 400, 3, ('"page"',)),
    Case("a word for a number", "GET", "/v1/jobs?page_size=many", 400, 3, ("page_size", "many")),
    Case("unknown state", "GET", "/v1/jobs?states=DONE", 400, 3, ("states", "DONE")),
    Case("two ids", "POST", "/v1/jobs/j7:cancel", 400, 3, ("id", "conflicting"), '{"id": "j8"}'),
    _create(
        "unknown key", '{"provider": "local", "lerning_rate": 1}', "there is no such field", "request_id", field="lerning_rate"
    ),
    _create(
        "unknown key below",
        _configured('"schedule": {"epochs": 1, "epoch": 2}'),
        "configuration.schedule takes",
        "sequence_length",
        field="configuration.schedule.epoch",
    ),
    _create("unknown key, not ASCII", '{"größe": 1}', "größe", field="größe"),
    _create("key twice", '{"provider": "local", "provider": "x"}', "twice", field="provider"),
    _create("key under both names", '{"display_name": "a", "displayName": "b"}', "twice", field="displayName"),
    _create(
        "unknown enum value",
        _configured('"method": {"type": "LORA"}'),
        "LORA is none of its values",
        "TRAINING_METHOD_LORA",
        field="configuration.method.type",
    ),
    _create("fraction for an integer", _configured('"schedule": {"epochs": 1.5}'), "configuration.schedule.epochs", "1.5"),
    _create("too large an integer", _configured('"schedule": {"epochs": 99999999999}'), "configuration.schedule.epochs"),
    _create("NaN", _configured('"optimizer": {"learning_rate": NaN}'), "NaN", "one JSON object"),
    _create("infinite", _configured('"optimizer": {"learning_rate": 1e999}'), "range of double"),
    _create("no JSON", "hello", "Unexpected token", "one JSON object"),
    _create("half of it", '{"provider": "local",', "end of string"),
    _create("two objects", '{"provider": "local"}{}', "before end of input"),
    _create("a list", "[]", "must be a message"),
    _create("text for an object", _configured('"schedule": "long"'), "configuration.schedule"),
    _create("no UTF-8", b'{"provider": "\xff\xfe"}', "UTF-8"),
    _create("nested too deep", NESTED, "too deep"),
    _create("only brackets", "[" * 100_000, "too deep"),
    Case("too large", "POST", "/v1/jobs", 413, 8, ("4 MiB", "datasets:upload"), b" " * (JSON_LIMIT_BYTES + 1)),
]


def test_there_are_cases() -> None:
    assert len({case.name for case in CASES}) == len(CASES) == 28


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_refusal_says_what_is_wrong(gateway: Gateway, case: Case) -> None:
    answer = gateway.call(case.method, case.path, case.body)
    refusal = _checked(answer, case.status, case.code)
    for text in case.says:
        assert text in refusal["message"]
    fields = [violation["field"] for detail in refusal["details"] for violation in detail["field_violations"]]
    assert fields == ([case.field] if case.field else [])


def test_a_body_at_the_limit_passes(gateway: Gateway) -> None:
    body = '{"provider": "local"' + " " * (JSON_LIMIT_BYTES - 21) + "}"
    assert len(body) == JSON_LIMIT_BYTES
    assert gateway.post("/v1/jobs", body).status == 200


@pytest.mark.parametrize(
    ("request_text", "status", "says"),
    [
        ("GET /v1/pools HTTP/1.1\r\nHost: localhost\r\nx_underscore: 1\r\n\r\n", 400, "underscores"),
        ("GET /v1/pools HTTP/1.1\r\nHost: localhost\r\nx: " + "a" * 70_000 + "\r\n\r\n", 431, "60 KiB"),
        ("GET /v1/pools HTTP/1.0\r\nHost: localhost\r\n\r\n", 426, "HTTP/1.1"),
        ("GET /v1/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "%00"),
        ("nonsense\r\n\r\n", 400, "HTTP/1.1"),
    ],
    ids=["underscore", "large headers", "old HTTP", "null byte", "no HTTP"],
)
def test_bad_http_is_answered_alike(gateway: Gateway, request_text: str, status: int, says: str) -> None:
    assert says in _checked(_raw(gateway, request_text), status, 3)["message"]


def _checked(answer: Answer, status: int, code: int) -> dict:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    refusal = answer.json()
    assert set(refusal) == {"code", "message", "details"}
    assert refusal["code"] == code
    return refusal


def _raw(gateway: Gateway, request_text: str) -> Answer:
    with socket.create_connection(("127.0.0.1", gateway.settings.port), timeout=10) as connection:
        connection.sendall(request_text.encode())
        received = b""
        while piece := connection.recv(65536):
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    json.loads(body)
    return Answer(int(status.split()[1]), headers, body)
