"""JSON over HTTP: the services' answers as the contract names them."""

import http.client
import json
import time

import pytest

from tests.integration.gateway.conftest import Gateway
from tests.integration.gateway.fake_services import WATCH_PAUSE_S

pytestmark = pytest.mark.integration


def test_a_resource_has_the_names_of_its_proto(gateway: Gateway) -> None:
    answer = gateway.get("/v1/jobs/j7")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    job = answer.json()["job"]
    assert job["id"] == "j7"
    assert job["state"] == "JOB_STATE_RUNNING"
    # Zero is a value: a client must not have to guess whether it was left out.
    assert job["attempt"] == 0
    assert "display_name" in job


def test_an_answer_names_its_request(gateway: Gateway) -> None:
    assert len(gateway.get("/v1/jobs/j7").headers["x-request-id"]) == 36


def test_a_body_may_use_either_name_of_a_field(gateway: Gateway) -> None:
    for name in ("display_name", "displayName"):
        answer = gateway.post("/v1/jobs", {"provider": "local", name: "A b"})
        assert (answer.status, answer.json()["job"]["display_name"]) == (200, "A b")


def test_what_only_a_provider_understands_may_have_any_keys(gateway: Gateway) -> None:
    metadata = {"together": {"n": [1, {"a": 'quotes " and } and \\'}], "é": None}}
    assert gateway.post("/v1/jobs", {"provider": "local", "configuration": {"metadata": metadata}}).status == 200


def test_a_parameter_of_the_query_may_repeat(gateway: Gateway) -> None:
    answer = gateway.get("/v1/jobs?states=JOB_STATE_QUEUED&states=JOB_STATE_FAILED")
    assert [job["state"] for job in answer.json()["jobs"]] == ["JOB_STATE_QUEUED", "JOB_STATE_FAILED"]


def test_a_hub_name_keeps_its_slash(gateway: Gateway) -> None:
    assert gateway.get("/v1/base-models/tunesmith/pico").json()["base_model"]["id"] == "tunesmith/pico"


@pytest.mark.parametrize("path", ["/v1/pools", "/v1/parameters", "/v1/providers"])
def test_every_service_answers(gateway: Gateway, path: str) -> None:
    assert gateway.get(path).status == 200


def test_a_watched_job_arrives_as_it_changes(gateway: Gateway) -> None:
    connection = http.client.HTTPConnection(gateway.address, timeout=30)
    begin = time.monotonic()
    connection.request("GET", "/v1/jobs/j7:watch")
    response = connection.getresponse()
    first = response.read1(65536)
    first_after_s = time.monotonic() - begin
    body = first + response.read()
    connection.close()
    states = [message["job"]["state"] for message in json.loads(body)]
    assert states == ["JOB_STATE_QUEUED", "JOB_STATE_RUNNING", "JOB_STATE_SUCCEEDED"]
    assert first_after_s < WATCH_PAUSE_S * 2 <= time.monotonic() - begin


def test_all_jobs_are_watched_from_a_cursor_on(gateway: Gateway) -> None:
    connection = http.client.HTTPConnection(gateway.address, timeout=30)
    begin = time.monotonic()
    connection.request("GET", "/v1/jobs:watch?after_cursor=5")
    response = connection.getresponse()
    assert (response.status, response.getheader("content-type")) == (200, "application/json")
    first = response.read1(65536)
    first_after_s = time.monotonic() - begin
    body = first + response.read()
    connection.close()
    messages = json.loads(body)
    assert [(message["jobs"][0]["id"], message["cursor"]) for message in messages] == [("j6", "6"), ("j7", "7"), ("j8", "8")]
    # Each arrives as it is sent, not when the stream is over.
    assert first_after_s < WATCH_PAUSE_S * 2 <= time.monotonic() - begin


def test_a_list_of_jobs_takes_a_search_and_a_view(gateway: Gateway) -> None:
    answer = gateway.get("/v1/jobs?states=JOB_STATE_QUEUED&search=a%20b&view=JOB_VIEW_BASIC")
    assert (answer.status, len(answer.json()["jobs"])) == (200, 1)
    assert gateway.get("/v1/jobs?view=JOB_VIEW_OTHER").status == 400


def test_a_provider_translates_a_configuration(gateway: Gateway) -> None:
    answer = gateway.post("/v1/providers/local:translate", {"configuration": {"schedule": {"epochs": 7}}})
    assert (answer.status, answer.json()["payload"]) == (200, {"for": "local", "epochs": 7})
    misspelt = gateway.post("/v1/providers/local:translate", {"configuration": {"schedule": {"epoch": 7}}})
    assert misspelt.status == 400
    assert misspelt.json()["details"][0]["field_violations"][0]["field"] == "configuration.schedule.epoch"


def test_a_provider_is_found_by_its_id(gateway: Gateway) -> None:
    assert gateway.get("/v1/providers/local").json()["provider"]["id"] == "local"
    answer = gateway.get("/v1/providers/missing")
    assert (answer.status, answer.json()["message"]) == (404, "provider 'missing' does not exist; there are: local")


def test_a_preflight_is_asked_and_answers_with_fixes(gateway: Gateway) -> None:
    answer = gateway.post("/v1/preflight:check", {"configuration": {"schedule": {"epochs": -1}}})
    assert answer.status == 200
    # What is false stands there: a client must see that it is not ready.
    assert answer.json()["report"]["ok"] is False
    (finding,) = answer.json()["report"]["findings"]
    edits = [{"field_path": "schedule.epochs", "value": 1}, {"field_path": "schedule.max_steps"}]
    assert (finding["code"], finding["message"], finding["fix"]["edits"]) == ("OUT_OF_RANGE", "-1", edits)
    misspelt = gateway.post("/v1/preflight:check", {"configuration": {"schedule": {"epoch": 1}}})
    assert misspelt.json()["details"][0]["field_violations"][0]["field"] == "configuration.schedule.epoch"


def test_recipes_and_adapters_are_changed_by_the_verbs_of_http(gateway: Gateway) -> None:
    put = gateway.call("PUT", "/v1/recipes/r1", json.dumps({"recipe": {"display_name": "mine", "type": "RECIPE_TYPE_LORA"}}))
    assert (put.status, put.json()["recipe"]["display_name"]) == (200, "mine")
    patched = gateway.call("PATCH", "/v1/adapters/a1", json.dumps({"description": "new", "metrics": {"loss": 0.5}}))
    assert (patched.status, patched.json()["adapter"]["metrics"]) == (200, {"loss": 0.5})
    assert gateway.call("DELETE", "/v1/recipes/r1").status == 200
    misspelt = gateway.call("PUT", "/v1/recipes/r1", json.dumps({"recipe": {"name": "mine"}}))
    assert misspelt.json()["details"][0]["field_violations"][0]["field"] == "recipe.name"


def test_an_adapter_is_uploaded_as_an_archive(gateway: Gateway) -> None:
    answer = gateway.post("/v1/adapters:upload?base_model=tunesmith/pico", b"x" * 3_000_000)
    assert answer.status == 200
    adapter = answer.json()["adapter"]
    assert (adapter["base_model_id"], adapter["size_bytes"]) == ("tunesmith/pico", "3000000")


def test_an_upload_brings_its_parameters(gateway: Gateway) -> None:
    body = b'{"text": "a"}\n' * 1000
    dataset = gateway.post("/v1/datasets:upload?filename=rows%20a.jsonl&display_name=A", body).json()["dataset"]
    assert (dataset["filename"], dataset["display_name"], dataset["size_bytes"]) == ("rows a.jsonl", "A", str(len(body)))


def test_a_refused_upload_says_why(gateway: Gateway) -> None:
    answer = gateway.post("/v1/datasets:upload?filename=bad.jsonl", b"x" * 100_000)
    assert answer.status == 400
    assert answer.json()["details"][0]["field_violations"][0]["field"] == "data"


def test_a_download_is_the_file(gateway: Gateway) -> None:
    answer = gateway.get("/v1/jobs/j7/artifacts/3000001:download")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.body == (bytes(range(256)) * 12000)[:3000001]
    # It must not run as a page of the console's origin.
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_download_of_a_set_is_an_archive(gateway: Gateway) -> None:
    answer = gateway.get("/v1/artifacts/3000001/set:download")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-tar"
    assert answer.body == bytes(3000001)
    assert answer.headers["content-disposition"] == 'attachment; filename="adapter-j7.tar"'
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/v1/jobs/j7/artifacts/missing:download", "/v1/artifacts/missing/set:download"])
def test_a_download_of_nothing_is_an_error(gateway: Gateway, path: str) -> None:
    answer = gateway.get(path)
    assert (answer.status, answer.json()["code"]) == (404, 5)


def test_a_services_error_keeps_its_details(gateway: Gateway) -> None:
    answer = gateway.post("/v1/jobs", {})
    violations = [{"field": "provider", "description": "is required; send local", "reason": ""}]
    assert answer.status == 400
    assert answer.json() == {
        "code": 3,
        "message": "provider: is required; send local",
        "details": [{"@type": "type.googleapis.com/google.rpc.BadRequest", "field_violations": violations}],
    }
