"""Whatever goes wrong, a person reads a sentence that says what to do."""

import grpc
import pytest
import torch
from google.rpc import error_details_pb2
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

from services.chassis.errors import InvalidArgument
from workers.training.failures import EXPLANATIONS, explain, not_finite, status_of


def wrapped(cause: Exception) -> Exception:
    """As transformers wraps what the hub's client raises."""
    try:
        raise OSError("could not load the model") from cause
    except OSError as error:
        return error


def real_cpu_out_of_memory() -> BaseException:
    with pytest.raises(RuntimeError) as failure:
        torch.empty(1 << 58, dtype=torch.uint8)
    return failure.value


CASES = [
    (real_cpu_out_of_memory, "OUT_OF_MEMORY", grpc.StatusCode.RESOURCE_EXHAUSTED, "schedule.batch_size"),
    (lambda: torch.OutOfMemoryError("CUDA out of memory"), "OUT_OF_MEMORY", grpc.StatusCode.RESOURCE_EXHAUSTED, "GRADIENT_CHECK"),
    (MemoryError, "OUT_OF_MEMORY", grpc.StatusCode.RESOURCE_EXHAUSTED, "schedule.sequence_length"),
    (lambda: wrapped(LocalEntryNotFoundError("x")), "HUB_UNREACHABLE", grpc.StatusCode.UNAVAILABLE, "network"),
    (lambda: wrapped(OfflineModeIsEnabled("x")), "HUB_UNREACHABLE", grpc.StatusCode.UNAVAILABLE, "folder"),
    (
        lambda: OSError("x does not appear to have a file named model.safetensors"),
        "BASE_MODEL_NOT_SAFETENSORS",
        grpc.StatusCode.FAILED_PRECONDITION,
        "model.safetensors",
    ),
    (
        lambda: ValueError("requires you to execute the configuration file; set trust_remote_code=True"),
        "BASE_MODEL_UNKNOWN",
        grpc.StatusCode.FAILED_PRECONDITION,
        "choose a base model",
    ),
    (
        lambda: ValueError("Your setup doesn't support bf16/gpu."),
        "PRECISION_NOT_SUPPORTED",
        grpc.StatusCode.FAILED_PRECONDITION,
        "FP32",
    ),
    (lambda: KeyError("surprise"), "TRAINING_FAILED", grpc.StatusCode.INTERNAL, "log"),
]


@pytest.mark.parametrize(("make", "reason", "code", "fix"), CASES)
def test_a_failure_says_what_to_do(make, reason: str, code: grpc.StatusCode, fix: str) -> None:  # type: ignore[no-untyped-def]
    status = status_of(make())
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, info.reason) == (code.value[0], reason)
    assert fix in status.message


def test_an_error_made_for_people_is_kept() -> None:
    error = InvalidArgument([("schedule.train_on_inputs", "set it to ENABLED")])
    try:
        raise RuntimeError("the trainer stopped") from error
    except RuntimeError as outer:
        assert explain(outer) is error


def test_each_explanation_leaves_the_others_alone() -> None:
    assert len(EXPLANATIONS) == 5
    assert [explanation(KeyError("surprise")) for explanation in EXPLANATIONS] == [None] * 5


def test_a_spoiled_loss_names_the_learning_rate() -> None:
    message = not_finite("training loss", float("nan"), 12, 0.5).message
    assert "nan at step 12" in message
    assert "lower optimizer.learning_rate (now 0.5)" in message


def test_a_loss_spoiled_from_the_start_blames_the_inputs() -> None:
    message = not_finite("validation loss", float("nan"), 0, 0.5).message
    assert "learning_rate" not in message
    assert "register the model again" in message
