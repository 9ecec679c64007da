"""Why a run failed, in a sentence that ends in what to do next."""

from collections.abc import Callable, Iterator

import grpc
import torch
from google.rpc import status_pb2
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, OfflineModeIsEnabled, RepositoryNotFoundError

from services.chassis.errors import FailedPrecondition, ReasonedError, ResourceExhausted, ServiceError, Unavailable


class TrainingError(ReasonedError):
    """Something nobody foresaw. Retrying may help if the machine was at fault."""

    code = grpc.StatusCode.INTERNAL


class StepTimeout(ReasonedError):
    """A step that does not end. Another attempt may get further."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


def step_timeout(step: int, total_steps: int, seconds: float, limit_s: float) -> StepTimeout:
    """A step has taken longer than it may."""
    text = (
        f"step {step} of {total_steps} has not ended for {seconds:.0f} s and may take {limit_s:.0f} s; if the next attempt hangs "
        "too, see in the pool's log where it does (step_hangs), or raise schedule.step_timeout_seconds"
    )
    return StepTimeout("STEP_TIMEOUT", text, {"step": str(step), "limit_seconds": f"{limit_s:.0f}"})


def status_of(error: BaseException) -> status_pb2.Status:
    """What a person is told about an exception that a recipe raised."""
    return explain(error).status()


def explain(error: BaseException) -> ServiceError:
    """The error itself if it was made for people, else the first explanation that fits it or one of its causes."""
    for cause in _causes(error):
        if isinstance(cause, ServiceError):
            return cause
        for explanation in EXPLANATIONS:
            explained = explanation(cause)
            if explained is not None:
                return explained
    text = f"training stopped with {type(error).__name__}: {error}; the pool's log has the traceback"
    return TrainingError("TRAINING_FAILED", text)


def not_finite(what: str, value: float, step: int, learning_rate: float) -> FailedPrecondition:
    """The loss or the gradient is no number any more, and no later step can mend the weights."""
    if step == 0:
        text = (
            f"the {what} is {value} before the first step, so the base model's weights or the rows are broken; "
            "register the model again, or check the dataset"
        )
        return FailedPrecondition("LOSS_NOT_FINITE", text)
    text = (
        f"the {what} became {value} at step {step}, so the weights are spoiled; "
        f"lower optimizer.learning_rate (now {learning_rate:g}), or set optimizer.scheduler.warmup_ratio"
    )
    return FailedPrecondition("LOSS_NOT_FINITE", text)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


# How torch, its allocators and the BLAS libraries say it when they don't raise OutOfMemoryError.
_MEMORY_PHRASES = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


def _out_of_memory(error: BaseException) -> ServiceError | None:
    spoken = isinstance(error, RuntimeError) and any(phrase in str(error).lower() for phrase in _MEMORY_PHRASES)
    if not isinstance(error, MemoryError | torch.OutOfMemoryError) and not spoken:
        return None
    text = (
        "the machine ran out of memory; lower schedule.batch_size or schedule.sequence_length, "
        "or add GRADIENT_CHECKPOINTING to optimizations.enabled"
    )
    return ResourceExhausted("OUT_OF_MEMORY", text, {"cause": str(error)[:500]})


def _hub(error: BaseException) -> ServiceError | None:
    if isinstance(error, GatedRepoError):
        text = "the base model is gated; accept its licence on the hub and set HF_TOKEN for the worker"
        return FailedPrecondition("BASE_MODEL_GATED", text)
    if isinstance(error, RepositoryNotFoundError):
        text = "the hub has no such model, or hides it; check the base model's hub_repo, or set HF_TOKEN for the worker"
        return FailedPrecondition("BASE_MODEL_NOT_FOUND", text)
    if isinstance(error, LocalEntryNotFoundError | OfflineModeIsEnabled | ConnectionError):
        text = (
            "the base model is not on this machine and the hub can't be reached; "
            "register the model from a folder, or give the worker a network"
        )
        return Unavailable("HUB_UNREACHABLE", text)
    return None


def _no_safetensors(error: BaseException) -> ServiceError | None:
    missing = isinstance(error, OSError) and "safetensors" in str(error)
    text = (
        "the base model has no safetensors weights, and others are not loaded because they may hold code; "
        "register a revision that has model.safetensors"
    )
    return FailedPrecondition("BASE_MODEL_NOT_SAFETENSORS", text) if missing else None


def _not_a_model(error: BaseException) -> ServiceError | None:
    fits = isinstance(error, OSError | ValueError) and any(
        phrase in str(error) for phrase in ("Unrecognized configuration class", "Unrecognized model", "trust_remote_code")
    )
    text = (
        "the base model is no causal language model that transformers knows, and its own code is never run; "
        "choose a base model whose family transformers has"
    )
    return FailedPrecondition("BASE_MODEL_UNKNOWN", text) if fits else None


def _no_bf16(error: BaseException) -> ServiceError | None:
    fits = isinstance(error, ValueError) and "doesn't support bf16" in str(error)
    text = "this machine's GPU has no bfloat16; set model.precision to FP32"
    return FailedPrecondition("PRECISION_NOT_SUPPORTED", text) if fits else None


EXPLANATIONS: tuple[Callable[[BaseException], ServiceError | None], ...] = (
    _out_of_memory,
    _hub,
    _no_safetensors,
    _not_a_model,
    _no_bf16,
)
