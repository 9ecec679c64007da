"""What every call gets: validation, a request id, errors with details, and nothing about our insides."""

import tempfile

import grpc
from google.rpc import error_details_pb2, status_pb2
from tunesmith.parameter.v1 import parameter_service_pb2, parameter_service_pb2_grpc
from tunesmith.registry.v1 import registry_service_pb2, registry_service_pb2_grpc

from services.chassis.settings import Settings
from services.parameter.service import build
from tests.fakes.registry import FakeRegistry
from tests.fakes.server import running


def status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    return status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])


async def failure(call: object) -> grpc.aio.AioRpcError:
    try:
        await call  # type: ignore[misc]
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the call should have failed")


class Broken(FakeRegistry):
    async def GetDataset(self, request: object, context: object) -> object:
        raise ValueError("secret insides")


async def test_errors_carry_typed_details_and_hide_what_is_inside() -> None:
    with tempfile.TemporaryDirectory(prefix="tsm-") as folder:
        async with running([Broken()], f"unix:{folder}/s") as channel:
            stub = registry_service_pb2_grpc.RegistryServiceStub(channel)
            invalid = await failure(stub.GetDataset(registry_service_pb2.GetDatasetRequest()))
            assert invalid.code() == grpc.StatusCode.INVALID_ARGUMENT
            bad_request = error_details_pb2.BadRequest()
            assert status_of(invalid).details[0].Unpack(bad_request)
            assert bad_request.field_violations[0].field == "id"
            assert bad_request.field_violations[0].reason == "string.min_len"

            missing = await failure(stub.GetBaseModel(registry_service_pb2.GetBaseModelRequest(id="x")))
            assert missing.code() == grpc.StatusCode.NOT_FOUND and "GET /v1/base-models" in missing.details()

            metadata = (("x-request-id", "mine"),)
            internal = await failure(stub.GetDataset(registry_service_pb2.GetDatasetRequest(id="x"), metadata=metadata))
            assert internal.code() == grpc.StatusCode.INTERNAL
            assert "secret" not in internal.details() and "mine" in internal.details()


async def test_parameters_are_served_with_ranges_defaults_and_choices() -> None:
    with tempfile.TemporaryDirectory(prefix="tsm-") as folder:
        async with running(await build(Settings()), f"unix:{folder}/s") as channel:
            stub = parameter_service_pb2_grpc.ParameterServiceStub(channel)
            response = await stub.ListParameters(parameter_service_pb2.ListParametersRequest())
    by_path = {parameter.field_path: parameter for parameter in response.parameters}
    epochs, rate = by_path["schedule.epochs"], by_path["optimizer.learning_rate"]
    assert (epochs.range.min, epochs.range.max, epochs.default_value.number, epochs.unit) == (1, 20, 3, "epochs")
    assert (rate.range.min, rate.range.min_exclusive, rate.range.max) == (0, True, 1)
    assert [choice.label for choice in by_path["method.type"].choices] == [
        "Full",
        "LoRA",
        "QLoRA",
        "Prompt tuning",
        "Prefix tuning",
        "P-tuning",
    ]
    assert by_path["model.base_model"].required and by_path["optimizations.enabled"].repeated
