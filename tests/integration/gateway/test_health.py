"""`/healthz` says 200 when every service answers, and the gateway says what is wrong when one does not."""

import pytest

from tests.integration.gateway.conftest import Gateway, start_services, wait_until_healthy

pytestmark = pytest.mark.integration


@pytest.fixture
def without_services(gateway: Gateway) -> Gateway:
    gateway.services.terminate()
    gateway.services.wait(10)
    wait_until_healthy(gateway, expected=503)
    yield gateway
    gateway.services = start_services(gateway.settings.services_address)
    wait_until_healthy(gateway)


def test_healthy(gateway: Gateway) -> None:
    answer = gateway.get("/healthz")
    assert (answer.status, answer.json()) == (200, {"status": "SERVING"})


def test_missing_services_are_noticed(without_services: Gateway) -> None:
    answer = without_services.get("/healthz")
    assert (answer.status, answer.json()["code"]) == (503, 14)
    assert "logs/services.log" in answer.json()["message"]


@pytest.mark.parametrize("path", ["/v1/jobs/j7", "/v1/jobs/j7:watch", "/v1/parameters"])
def test_calls_fail_with_a_sentence(without_services: Gateway, path: str) -> None:
    answer = without_services.get(path)
    assert (answer.status, answer.json()["code"]) == (503, 14)
    assert "Try again" in answer.json()["message"]
    # Where the services listen is nobody's business.
    assert ".sock" not in answer.json()["message"]
