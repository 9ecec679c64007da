"""Who may call from a browser."""

import pytest

from tests.integration.gateway.conftest import ALLOWED_HOST, ALLOWED_ORIGIN, Gateway

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", ALLOWED_HOST])
@pytest.mark.parametrize("port", ["", ":8080", ":1"])
def test_the_gateways_own_names_pass(gateway: Gateway, host: str, port: str) -> None:
    assert gateway.get("/v1/pools", {"Host": host + port}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", f"x.{ALLOWED_HOST}", "127.0.0.2", "localhost@evil.example"]
)
@pytest.mark.parametrize("path", ["/v1/pools", "/nothing", "/"])
def test_other_names_are_not_found(gateway: Gateway, host: str, path: str) -> None:
    answer = gateway.get(path, {"Host": host})
    assert (answer.status, answer.json()["code"]) == (404, 5)
    assert "TUNESMITH_ALLOWED_HOSTS" in answer.json()["message"]


def test_without_an_origin_everybody_passes(gateway: Gateway) -> None:
    assert gateway.post("/v1/jobs", {"provider": "local"}).status == 200


def test_own_and_allowed_origins_pass(gateway: Gateway) -> None:
    port = gateway.settings.port
    origins = [f"http://localhost:{port}", f"http://127.0.0.1:{port}", f"http://[::1]:{port}", ALLOWED_ORIGIN]
    origins += [f"https://{ALLOWED_HOST}", f"https://{ALLOWED_HOST}:8443"]
    for origin in origins:
        assert gateway.post("/v1/jobs", {"provider": "local"}, {"Origin": origin}).status == 200, origin


@pytest.mark.parametrize("path", ["/v1/pools", "/healthz", "/", "/tunesmith.job.v1.JobService/GetJob"])
def test_foreign_origins_are_refused(gateway: Gateway, path: str) -> None:
    port = gateway.settings.port
    origins = ["null", "https://evil.example", f"http://localhost:{port + 1}", f"http://localhost:{port}.evil.example"]
    for origin in [
        *origins,
        f"https://localhost:{port}",
        f"{ALLOWED_ORIGIN}.evil.example",
        f"https://{ALLOWED_HOST}.evil.example",
    ]:
        answer = gateway.get(path, {"Origin": origin})
        assert (answer.status, answer.json()["code"]) == (403, 7), origin
        assert "TUNESMITH_ALLOWED_ORIGINS" in answer.json()["message"]
        assert "access-control-allow-origin" not in answer.headers


def test_an_allowed_origin_may_ask_before_it_calls(gateway: Gateway) -> None:
    asking = {"Origin": ALLOWED_ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-grpc-web"}
    answer = gateway.call("OPTIONS", "/tunesmith.job.v1.JobService/GetJob", headers=asking)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    assert {"x-grpc-web", "grpc-timeout"} <= set(answer.headers["access-control-allow-headers"].split(", "))


def test_an_allowed_origin_may_read_errors(gateway: Gateway) -> None:
    answer = gateway.get("/v1/jobs/missing", {"Origin": ALLOWED_ORIGIN})
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert {"grpc-status", "grpc-message", "grpc-status-details-bin"} <= exposed
