"""Where a client goes."""

import pytest
from tunesmith.client.connection import Address, address_of
from tunesmith.client.errors import InvalidArgument


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("tunes.example.org:9000", Address("tunes.example.org", 9000)),
        ("tunes.example.org", Address("tunes.example.org", 8080)),
        ("http://localhost:8081/", Address("localhost", 8081)),
        ("https://tunes.example.org", Address("tunes.example.org", 443, secure=True)),
        ("[::1]:8080", Address("[::1]", 8080)),
        ("[::1]", Address("[::1]", 8080)),
    ],
)
def test_a_server_that_was_named(server: str, expected: Address) -> None:
    assert address_of(server) == expected


def test_the_settings_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNESMITH_HOST", raising=False)
    monkeypatch.delenv("TUNESMITH_PORT", raising=False)
    assert address_of(None) == Address("127.0.0.1", 8080)
    monkeypatch.setenv("TUNESMITH_HOST", "0.0.0.0")
    monkeypatch.setenv("TUNESMITH_PORT", "9999")
    assert address_of(None) == Address("127.0.0.1", 9999)


@pytest.mark.parametrize("server", ["host:0", "host:65536", "host:port", "ftp://host:21"])
def test_what_is_no_address(server: str) -> None:
    with pytest.raises(InvalidArgument, match=server):
        address_of(server)


def test_a_setting_that_is_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_PORT", "http")
    with pytest.raises(InvalidArgument, match="TUNESMITH_PORT: 'http' is no port"):
        address_of(None)
