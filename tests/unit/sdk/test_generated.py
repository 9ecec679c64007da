"""The generated classes: every public call, typed as the protos say."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import tunesmith
from google.protobuf import descriptor_pb2
from tunesmith import AsyncTunesmith, Tunesmith
from tunesmith.client import _generated
from tunesmith.client.calls import DEADLINE_S

from tests.contract.image import own_files

PUBLIC_CALLS = 56


def public_methods() -> Iterator[tuple[str, descriptor_pb2.MethodDescriptorProto]]:
    for file in own_files().values():
        for service in file.service:
            if not file.package.startswith("tunesmith.worker."):
                yield from ((service.name, method) for method in service.method)


def python_name(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("_")


@pytest.mark.parametrize("prefix", ["", "Async"])
def test_every_public_call_is_a_method(prefix: str) -> None:
    calls = list(public_methods())
    assert len(calls) == PUBLIC_CALLS
    for service, method in calls:
        made = getattr(getattr(_generated, f"{prefix}{service}"), python_name(method.name))
        assert inspect.iscoroutinefunction(made) == (prefix == "Async" and not method.server_streaming)
        assert inspect.getdoc(made)
        takes = inspect.signature(made).parameters
        assert takes["timeout"].default == (None if method.server_streaming or method.client_streaming else DEADLINE_S)


def test_there_is_no_method_without_a_call() -> None:
    wanted = {(service, python_name(method.name)) for service, method in public_methods()}
    services = {service for service, _ in wanted}
    for prefix in ("", "Async"):
        made = {
            (service, name)
            for service in services
            for name in vars(getattr(_generated, f"{prefix}{service}"))
            if not name.startswith("_")
        }
        assert made == wanted


def test_every_service_is_an_attribute_of_both_clients() -> None:
    services = {service for service, _ in public_methods()}
    with Tunesmith("127.0.0.1:1") as client:
        assert {type(one).__name__ for one in vars(client).values()} >= services
    hinted = inspect.getsource(AsyncTunesmith.__init__)
    assert all(f"Async{service}(" in hinted for service in services)


def test_what_a_request_needs_has_no_default_and_the_rest_is_by_keyword() -> None:
    takes: dict[str, Any] = dict(inspect.signature(_generated.JobService.create_job).parameters)
    assert {name for name, one in takes.items() if one.default is inspect.Parameter.empty} == {
        "self",
        "provider",
    }
    assert {one.kind for name, one in takes.items() if name != "self"} == {inspect.Parameter.KEYWORD_ONLY}


def test_a_docstring_is_the_protos_comment() -> None:
    text = inspect.getdoc(_generated.AsyncJobService.list_jobs) or ""
    assert text.startswith("Jobs, newest first unless order_by says otherwise.")
    assert "search: Only jobs whose display name contains this" in text


def test_everything_that_is_exported_is_there() -> None:
    assert len(tunesmith.__all__) >= 20
    assert [name for name in tunesmith.__all__ if not hasattr(tunesmith, name)] == []
    with pytest.raises(AttributeError, match="Tunesmyth"):
        tunesmith.Tunesmyth  # noqa: B018
