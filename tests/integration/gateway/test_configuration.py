"""The rendered configuration: Envoy takes it, and no call that streams has a time limit."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool

from services.chassis.settings import Settings
from supervisor import envoy

pytestmark = pytest.mark.integration

READS_A_DATASET = (("Get", "Statistics"), ("Convert", ""), ("Verify", ""))
MANY_HOSTS = tuple(f"host-{number}.some.long.name.example.org" for number in range(50))


def _settings(folder: Path, **values: Any) -> Settings:
    return Settings(host="127.0.0.1", home=folder, **values)


def _configuration(folder: Path, **values: Any) -> dict[str, Any]:
    return yaml.safe_load(envoy.write_configuration(_settings(folder, **values), folder).read_text())


def _routes(configuration: dict[str, Any], listener: int) -> list[dict[str, Any]]:
    manager = configuration["static_resources"]["listeners"][listener]["filter_chains"][0]["filters"][0]["typed_config"]
    return manager["route_config"]["virtual_hosts"][0]["routes"]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"services_address": "unix:/tmp/s.sock"},
        {"registry_address": "registry.internal:50051", "job_address": "[::1]:50052"},
        {"host": "0.0.0.0"},
        {"host": "::1"},
        {"allowed_hosts": MANY_HOSTS, "allowed_origins": tuple(f"https://{name}:8443" for name in MANY_HOSTS)},
    ],
    ids=["default", "socket", "apart", "every interface", "IPv6", "many names"],
)
def test_envoy_takes_it(tmp_path: Path, values: dict[str, Any]) -> None:
    config = envoy.write_configuration(Settings(home=tmp_path, **{"host": "127.0.0.1", **values}), tmp_path)
    run = subprocess.run([*envoy.command(config), "--mode", "validate"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr


def test_no_stream_has_a_time_limit_and_every_other_call_has(tmp_path: Path) -> None:
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(envoy.DESCRIPTORS.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    configuration = _configuration(tmp_path)
    found = {}
    for listener, services in enumerate((envoy.PUBLIC_SERVICES, ["tunesmith.worker.v1.WorkerService"])):
        for service in services:
            for method in pool.FindServiceByName(service).methods:
                streams = method.client_streaming or method.server_streaming
                path = f"/{service}/{method.name}"
                found[path] = (streams, _first_match(_routes(configuration, listener), path)["route"]["timeout"])
    # A lease and an inquiry are asked for and waited for: longer than any other single answer.
    assert found.pop("/tunesmith.worker.v1.WorkerService/Lease") == (False, "0s")
    assert found.pop("/tunesmith.worker.v1.WorkerService/TakeInquiry") == (False, "0s")
    # Each reads a whole dataset, which may have ten gigabytes.
    long = {f"/tunesmith.registry.v1.RegistryService/{name}Dataset{rest}" for name, rest in READS_A_DATASET}
    assert {path: found.pop(path) for path in long} == dict.fromkeys(long, (False, "3600s"))
    assert len(found) >= 58
    assert {path: timeout for path, (streams, timeout) in found.items() if timeout != ("0s" if streams else "60s")} == {}


def test_no_route_leads_to_what_services_ask_each_other(tmp_path: Path) -> None:
    configuration = _configuration(tmp_path)
    path = "/tunesmith.worker.v1.InquiryService/Ask"
    assert "direct_response" in _first_match(_routes(configuration, 0), path)
    assert not any(
        path.startswith(match.get("prefix", "nothing")) for match in (one["match"] for one in _routes(configuration, 1))
    )


def _first_match(routes: list[dict[str, Any]], path: str) -> dict[str, Any]:
    return next(
        route for route in routes if path == route["match"].get("path") or path.startswith(route["match"].get("prefix", "\0"))
    )


def test_no_public_route_leads_to_the_agents_door(tmp_path: Path) -> None:
    configuration = _configuration(tmp_path)
    assert "worker" not in str(_routes(configuration, 0))
    assert {route["route"]["cluster"] for route in _routes(configuration, 1)} == {"worker"}


def test_no_administration_is_open_and_no_host_is_a_wildcard(tmp_path: Path) -> None:
    configuration = _configuration(tmp_path, allowed_hosts=("tune.example.org",))
    assert "admin" not in configuration
    domains = re.findall(r"'domains': (\[[^]]*'\[::1\]'[^]]*\])", str(configuration))
    assert len(domains) == 2
    assert not any("*" in each for each in domains)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"allowed_hosts": ("*",)}, "TUNESMITH_ALLOWED_HOSTS"),
        ({"allowed_hosts": ("https://tune.example.org",)}, "TUNESMITH_ALLOWED_HOSTS"),
        ({"allowed_origins": ("console.example.org",)}, "TUNESMITH_ALLOWED_ORIGINS"),
        ({"allowed_origins": ("https://console.example.org/",)}, "TUNESMITH_ALLOWED_ORIGINS"),
        ({"job_address": "somewhere"}, "TUNESMITH_JOB_ADDRESS"),
        ({"host": "no.such.host.invalid"}, "TUNESMITH_HOST"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path, values: dict[str, Any], says: str) -> None:
    with pytest.raises(envoy.EnvoySettingsError, match=says):
        envoy.write_configuration(Settings(home=tmp_path, **{"host": "127.0.0.1", **values}), tmp_path)
