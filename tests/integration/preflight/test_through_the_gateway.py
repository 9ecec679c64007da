"""Preflight as an outsider uses it: JSON through Envoy to real services, and the job that is then created."""

import http.client
import json
import statistics
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from tunesmith import apply_fixes
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1.finding_pb2 import Finding
from tunesmith.worker.v1.worker_service_pb2 import RegisterPoolRequest
from tunesmith.worker.v1.worker_service_pb2_grpc import WorkerServiceStub

from bench.plane import POOL_ID, Plane
from starter import pico

pytestmark = pytest.mark.integration

CHECKS = 200
# On two quiet cores 4 and 15; other tests may run beside this one. `make bench` holds the real bars.
MEDIAN_WITHIN_MS, NEARLY_ALL_WITHIN_MS = 40.0, 250.0


@pytest.fixture(scope="module")
def plane() -> Iterator[Plane]:
    with Plane() as plane, grpc.insecure_channel(plane.worker_address) as channel:
        pool = {
            "pool_id": POOL_ID,
            "providers": ["local"],
            "ready": True,
            "devices": [{"kind": "DEVICE_KIND_CPU", "name": "a processor", "memory_bytes": str(2**34), "core_count": 2}],
        }
        WorkerServiceStub(channel).RegisterPool(ParseDict(pool, RegisterPoolRequest()))
        yield plane


def post(plane: Plane, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(plane.address, timeout=60)
    try:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def check(plane: Plane, configuration: dict[str, Any], **fields: Any) -> dict[str, Any]:
    status, answer = post(plane, "/v1/preflight:check", {"provider": "local", "configuration": configuration, **fields})
    assert status == 200, answer
    return answer["report"]


def configuration(plane: Plane, **sections: Any) -> dict[str, Any]:
    return {
        "model": {"base_model": pico.HUB_REPO},
        "datasets": {"training_file_id": plane.dataset_id},
        "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {}},
        **sections,
    }


def test_a_report_has_the_shape_that_outsiders_rely_on(plane: Plane) -> None:
    report = check(plane, configuration(plane))
    assert report["ok"] is True
    assert {finding["severity"] for finding in report["findings"]} == {"SEVERITY_NOTE"}
    memory = report["memory"]
    assert int(memory["low_bytes"]) <= int(memory["peak_bytes"]) <= int(memory["high_bytes"])
    parts = {part["name"]: int(part["bytes"]) for part in memory["components"]}
    assert list(parts) == ["weights", "adapters", "gradients", "optimizer", "activations", "logits", "overhead"]
    assert sum(parts.values()) == int(memory["peak_bytes"])
    assert [phase["name"] for phase in memory["phases"]] == ["load", "forward", "backward", "optimizer_step"]
    assert report["throughput"]["step_seconds"] > 0
    assert report["duration_seconds"] > 0
    assert report["queue_seconds"] == 0
    assert report["placement"]["pool_id"] == POOL_ID
    assert "cost" not in report or report["cost"] is None
    assert report["resolved_configuration"]["schedule"]["epochs"] == 3


def test_the_fixes_of_an_answer_mend_the_configuration(plane: Plane) -> None:
    broken = configuration(
        plane,
        schedule={"epochs": -1},
        method={"type": "TRAINING_METHOD_LORA", "lora_config": {"trainable_modules": "c_attn"}},
        datasets={"training_file_id": plane.dataset_id, "strategy": "DATASET_STRATEGY_CHAT"},
    )
    report = check(plane, broken)
    errors = [finding for finding in report["findings"] if finding["severity"] == "SEVERITY_ERROR"]
    assert [error["code"] for error in errors] == ["STRATEGY_MISMATCH", "LORA_TARGET_NOT_FOUND", "OUT_OF_RANGE"]
    assert "resolved_configuration" not in report or report["resolved_configuration"] is None
    findings = [ParseDict(finding, Finding()) for finding in report["findings"]]
    mended = apply_fixes(ParseDict(broken, JobConfiguration()), findings)
    assert check(plane, MessageToDict(mended, preserving_proto_field_name=True))["ok"] is True


def test_a_job_remembers_what_was_expected_of_it(plane: Plane) -> None:
    made = configuration(plane)
    expected = check(plane, made)
    status, answer = post(plane, "/v1/jobs", {"provider": "local", "configuration": made})
    assert status == 200, answer
    predicted = answer["job"]["predicted"]
    assert predicted["peak_memory_bytes"] == expected["memory"]["peak_bytes"]
    assert predicted["step_seconds"] == pytest.approx(expected["throughput"]["step_seconds"])
    assert predicted["tokens_per_second"] == pytest.approx(expected["throughput"]["tokens_per_second"])
    assert predicted["duration_seconds"] == pytest.approx(expected["duration_seconds"])
    assert answer["job"]["resolved_configuration"] == expected["resolved_configuration"]


def test_a_job_is_refused_by_the_same_findings(plane: Plane) -> None:
    broken = configuration(plane, schedule={"epochs": 99}, model={"base_model": "nobody/nothing"})
    errors = [one for one in check(plane, broken)["findings"] if one["severity"] == "SEVERITY_ERROR"]
    status, answer = post(plane, "/v1/jobs", {"provider": "local", "configuration": broken})
    assert status == 400
    violations = answer["details"][0]["field_violations"]
    assert [(one["reason"], one["field"], one["description"]) for one in violations] == [
        (error["code"], f"configuration.{error['field_path']}", error["message"]) for error in errors
    ]
    assert [error["code"] for error in errors] == ["BASE_MODEL_NOT_FOUND", "OUT_OF_RANGE"]


def test_warnings_are_for_a_person_to_accept(plane: Plane) -> None:
    body = {"provider": "local", "configuration": configuration(plane, schedule={"epochs": 15})}
    status, answer = post(plane, "/v1/jobs", body)
    assert (status, answer["details"][0]["reason"]) == (400, "WARNINGS_NOT_ACCEPTED")
    assert "schedule.epochs is 15" in answer["message"]
    assert post(plane, "/v1/jobs", {**body, "accept_warnings": True})[0] == 200


def test_a_misspelt_field_is_refused_at_the_door(plane: Plane) -> None:
    status, answer = post(plane, "/v1/preflight:check", {"configuration": {"schedule": {"epoch": 3}}})
    assert (status, answer["details"][0]["field_violations"][0]["field"]) == (400, "configuration.schedule.epoch")


def test_the_other_questions_are_answered(plane: Plane) -> None:
    ranked = post(plane, "/v1/preflight:rank", {"configuration": configuration(plane)})
    assert (ranked[0], ranked[1]["providers"][0]["provider"], ranked[1]["providers"][0]["runnable"]) == (200, "local", True)
    assert post(plane, "/v1/preflight:defaults", {"configuration": {"model": {"base_model": pico.HUB_REPO}}})[0] == 200
    assert post(plane, "/v1/preflight:recipes", {"base_model": pico.HUB_REPO})[0] == 200


def test_an_answer_comes_while_a_person_types(plane: Plane) -> None:
    connection = http.client.HTTPConnection(plane.address, timeout=60)
    body = json.dumps({"provider": "local", "configuration": configuration(plane)})
    took = []
    for _ in range(CHECKS):
        begin = time.perf_counter()
        connection.request("POST", "/v1/preflight:check", body, {"content-type": "application/json"})
        response = connection.getresponse()
        response.read()
        took.append((time.perf_counter() - begin) * 1000)
        assert response.status == 200
    connection.close()
    # The first one connects everybody and compiles the rules.
    later = sorted(took[10:])
    assert statistics.median(later) <= MEDIAN_WITHIN_MS
    assert later[int(len(later) * 0.99)] <= NEARLY_ALL_WITHIN_MS
