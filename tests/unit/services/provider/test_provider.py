"""The provider service over real gRPC: what backends can do, and what they make of a configuration."""

import tempfile
from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.rpc import error_details_pb2, status_pb2
from tunesmith.config.v1 import job_configuration_pb2, method_pb2
from tunesmith.provider.v1 import lowering_pb2, provider_service_pb2
from tunesmith.provider.v1.provider_service_pb2_grpc import ProviderServiceStub

from services.chassis.settings import Settings
from services.provider.service import build
from tests.fakes.server import running

CONFIGURATION = {
    "model": {"base_model": "model"},
    "datasets": {"training_file_id": "rows"},
    "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {}},
}


@pytest.fixture
async def providers() -> AsyncIterator[ProviderServiceStub]:
    with tempfile.TemporaryDirectory(prefix="tsm-") as folder:
        async with running(await build(Settings()), f"unix:{folder}/s") as channel:
            yield ProviderServiceStub(channel)


async def translate(providers: ProviderServiceStub, **over: object) -> provider_service_pb2.TranslateConfigurationResponse:
    configuration = ParseDict({**CONFIGURATION, **over}, job_configuration_pb2.JobConfiguration())
    return await providers.TranslateConfiguration(
        provider_service_pb2.TranslateConfigurationRequest(id="local", configuration=configuration)
    )


async def test_each_provider_is_listed_with_what_it_can_do(providers: ProviderServiceStub) -> None:
    listed = (await providers.ListProviders(provider_service_pb2.ListProvidersRequest())).providers
    assert [one.id for one in listed] == ["local", "axolotl", "unsloth"]
    local = listed[0]
    assert (local.id, local.display_name) == ("local", "Local (transformers, peft and trl on a Ray cluster)")
    assert method_pb2.TRAINING_METHOD_LORA in local.capabilities.methods
    assert len(local.capabilities.dataset_formats) == 9
    refused = {each.value: each for each in local.capabilities.limitations}["MODEL_PRECISION_FP8"]
    assert (refused.field_path, refused.action) == ("model.precision", lowering_pb2.LOWERING_ACTION_REFUSED)
    got = await providers.GetProvider(provider_service_pb2.GetProviderRequest(id="local"))
    assert got.provider == local


async def test_a_provider_that_is_not_there_is_answered_with_those_that_are(providers: ProviderServiceStub) -> None:
    configuration = ParseDict(CONFIGURATION, job_configuration_pb2.JobConfiguration())
    calls = [
        providers.GetProvider(provider_service_pb2.GetProviderRequest(id="elsewhere")),
        providers.TranslateConfiguration(
            provider_service_pb2.TranslateConfigurationRequest(id="elsewhere", configuration=configuration)
        ),
    ]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call
        assert failure.value.code() == grpc.StatusCode.NOT_FOUND
        assert failure.value.details() == "provider 'elsewhere' does not exist; there are: axolotl, local, unsloth"


async def test_a_configuration_is_translated_with_its_defaults(providers: ProviderServiceStub) -> None:
    answer = await translate(providers, schedule={"epochs": 2, "evaluations": 3}, hardware={"num_gpus": 1})
    payload = MessageToDict(answer.payload)
    assert payload["trainer"]["num_train_epochs"] == 2
    assert payload["adapter"]["r"] == 8
    by_path = {field.field_path: field for field in answer.lowering}
    assert by_path["schedule.epochs"].action == lowering_pb2.LOWERING_ACTION_SENT
    assert by_path["schedule.evaluations"].action == lowering_pb2.LOWERING_ACTION_DROPPED
    # The form's order, defaults that act among them.
    sections = list(dict.fromkeys(field.field_path.partition(".")[0] for field in answer.lowering))
    assert sections == ["model", "datasets", "method", "schedule", "optimizer", "hardware"]


async def test_what_would_be_refused_has_a_lowering_and_no_payload(providers: ProviderServiceStub) -> None:
    answer = await translate(providers, model={"base_model": "model", "precision": "MODEL_PRECISION_FP8"})
    assert not answer.HasField("payload")
    (refused,) = [field for field in answer.lowering if field.action == lowering_pb2.LOWERING_ACTION_REFUSED]
    assert refused.field_path == "model.precision"
    assert "BF16 or FP32" in refused.detail
    assert len(answer.lowering) > 10


async def test_what_breaks_the_configurations_own_rules_is_an_error_with_paths(providers: ProviderServiceStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await translate(providers, schedule={"epochs": 21}, optimizations={"enabled": [0]})
    assert failure.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    status = status_pb2.Status.FromString(dict(failure.value.trailing_metadata())["grpc-status-details-bin"])
    bad_request = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(bad_request)
    told = {each.field: each.description for each in bad_request.field_violations}
    assert told == {
        "configuration.schedule.epochs": "must be greater than or equal to 1 and less than or equal to 20",
        "configuration.optimizations.enabled[0]": "0 is no value of this enum; GET /v1/parameters lists them",
    }
    with pytest.raises(grpc.aio.AioRpcError, match="configuration: value is required"):
        await providers.TranslateConfiguration(provider_service_pb2.TranslateConfigurationRequest(id="local"))
