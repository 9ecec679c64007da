"""The agents' door to the job service, and what its answers mean to a worker."""

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import grpc
import structlog
from google.rpc import error_details_pb2, status_pb2
from tunesmith.client.errors import status_of
from tunesmith.worker.v1 import worker_service_pb2 as worker
from tunesmith.worker.v1 import worker_service_pb2_grpc as worker_grpc

from services.chassis.errors import ReasonedError

CALL_TIMEOUT_S = 10.0
REPORT_TIMEOUT_S = 20.0
# A stream may take this long, and as long again as its bytes take at the slowest speed that is worth waiting for.
STREAM_TIMEOUT_S = 60.0
SLOWEST_BYTES_PER_S = 256 * 1024
# gRPC reconnects by itself; a channel that has failed for this long is replaced, since name lookups and proxies can leave one
# stuck for good.
FRESH_CHANNEL_AFTER_S = 30.0
LOOK_INTERVAL_S = 0.5
FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 3.0
# INTERNAL and UNKNOWN may be a server in trouble, or a request that it will never digest: minutes tell which.
UNCLEAR_TRIES = 60

_CHANNEL_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # Rarer than the long polls and heartbeats, so only a connection that died in silence is ever pinged; servers hang up on
    # clients that ping more often than they work.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]
_AWAY = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
}
_UNCLEAR = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}

log = structlog.get_logger()
T = TypeVar("T")


class DoorError(Exception):
    """A call to the door that failed."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


class Away(DoorError):
    """The door can't be reached, or can't answer now. Retry."""


class Unclear(DoorError):
    """The server failed in a way that may pass. Retry a few times."""


class LeaseLost(DoorError):
    """The job is no longer the caller's. Stop and write nothing more."""


class Refused(ReasonedError):
    """The door will not do this, however often it is asked. Its own status is passed on whole."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__("REFUSED_BY_THE_DOOR", status.message)
        self._status = status

    def status(self) -> status_pb2.Status:
        return self._status


class Door:
    """WorkerService as a worker calls it: each method is one attempt, and raises one of the errors above.

    May be shared by threads.
    """

    def __init__(self, address: str, *, clock: Callable[[], float]) -> None:
        self._address = address
        self._clock = clock
        self._lock = threading.Lock()
        self._failing_since: float | None = None
        # Channels opened so far; more than one tells of long trouble.
        self.channel_count = 0
        self._open()

    def register_pool(self, request: worker.RegisterPoolRequest) -> None:
        """Say what the pool is."""
        self._call("RegisterPool", request, CALL_TIMEOUT_S)

    def lease(self, request: worker.LeaseRequest, look: Callable[[], None]) -> worker.LeaseResponse:
        """Ask for a job; waits as long as the request says. `look` is called twice a second, and raises to stop waiting."""
        return self._wait_for("Lease", request, look)

    def heartbeat(self, request: worker.HeartbeatRequest) -> worker.HeartbeatResponse:
        """Keep a lease."""
        return self._call("Heartbeat", request, CALL_TIMEOUT_S)

    def report(self, request: worker.ReportRequest) -> worker.ReportResponse:
        """Say what happened."""
        return self._call("Report", request, REPORT_TIMEOUT_S)

    def release_lease(self, request: worker.ReleaseLeaseRequest, timeout_s: float = CALL_TIMEOUT_S) -> None:
        """Give a job back."""
        self._call("ReleaseLease", request, timeout_s)

    def take_inquiry(self, request: worker.TakeInquiryRequest, look: Callable[[], None]) -> worker.TakeInquiryResponse:
        """Ask for an inquiry; waits as long as the request says. `look` is called twice a second, and raises to stop waiting."""
        return self._wait_for("TakeInquiry", request, look)

    def answer_inquiry(self, request: worker.AnswerInquiryRequest) -> None:
        """Answer an inquiry."""
        self._call("AnswerInquiry", request, CALL_TIMEOUT_S)

    def read_dataset(self, request: worker.ReadDatasetRequest, size_bytes: int) -> Iterator[bytes]:
        """The rows of one of the job's datasets."""
        return self._read("ReadDataset", request, size_bytes)

    def read_base_model_file(self, request: worker.ReadBaseModelFileRequest, size_bytes: int) -> Iterator[bytes]:
        """One file of the job's base model."""
        return self._read("ReadBaseModelFile", request, size_bytes)

    def read_training_state_file(self, request: worker.ReadTrainingStateFileRequest, size_bytes: int) -> Iterator[bytes]:
        """One file of the training state that an earlier attempt stored."""
        return self._read("ReadTrainingStateFile", request, size_bytes)

    def read_export_source_file(self, request: worker.ReadExportSourceFileRequest, size_bytes: int) -> Iterator[bytes]:
        """One file of what the job exports."""
        return self._read("ReadExportSourceFile", request, size_bytes)

    def write_artifact_set(
        self, parts: Iterable[worker.WriteArtifactSetRequest], size_bytes: int
    ) -> worker.WriteArtifactSetResponse:
        """Store a set of artifacts."""
        return self._call("WriteArtifactSet", iter(parts), _stream_timeout_s(size_bytes))

    def _open(self) -> None:
        self._channel = grpc.insecure_channel(self._address, options=_CHANNEL_OPTIONS)
        self._stub = worker_grpc.WorkerServiceStub(self._channel)
        self.channel_count += 1

    def _wait_for(self, method: str, request: Any, look: Callable[[], None]) -> Any:
        try:
            call = getattr(self._stub, method).future(request, timeout=request.wait_seconds + CALL_TIMEOUT_S)
            response = _result(call, look)
        except (grpc.RpcError, ValueError) as error:
            raise self._explain(error) from error
        self._failing_since = None
        return response

    def _call(self, method: str, request: Any, timeout_s: float) -> Any:
        try:
            response = getattr(self._stub, method)(request, timeout=timeout_s)
        except (grpc.RpcError, ValueError) as error:
            raise self._explain(error) from error
        self._failing_since = None
        return response

    def _read(self, method: str, request: Any, size_bytes: int) -> Iterator[bytes]:
        try:
            for message in getattr(self._stub, method)(request, timeout=_stream_timeout_s(size_bytes)):
                self._failing_since = None
                yield message.chunk
        except (grpc.RpcError, ValueError) as error:
            raise self._explain(error) from error

    def _explain(self, error: grpc.RpcError | ValueError) -> DoorError | Refused:
        if isinstance(error, ValueError):
            if "closed" not in str(error).lower():
                raise error
            # What grpc raises for a call on a channel that another thread has just replaced.
            return Away(status_pb2.Status(code=grpc.StatusCode.CANCELLED.value[0], message=str(error)))
        code = error.code()
        if code is grpc.StatusCode.UNAVAILABLE:
            self._renew_after_long_trouble()
        else:
            self._failing_since = None
        return failure_of(code, status_of(error))

    def _renew_after_long_trouble(self) -> None:
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        elif now - self._failing_since > FRESH_CHANNEL_AFTER_S:
            self._failing_since = now
            log.warning("door_channel_renewed", address=self._address, channels=self.channel_count)
            with self._lock:
                # Ends the calls in flight on it, which fail as well and are repeated.
                self._channel.close()
                self._open()


def failure_of(code: grpc.StatusCode, status: status_pb2.Status) -> DoorError | Refused:
    """What a failed call means to a worker."""
    if code is grpc.StatusCode.ABORTED and _reason_of(status) == "LEASE_LOST":
        return LeaseLost(status)
    if code in _AWAY:
        return Away(status)
    return Unclear(status) if code in _UNCLEAR else Refused(status)


def persistently(call: Callable[[], T], pause: Callable[[float], None]) -> T:
    """Repeat a call until the door answers it. `pause` waits that many seconds, and raises to give up."""
    tries = 0
    while True:
        try:
            return call()
        except (Away, Unclear) as error:
            tries += 1
            if isinstance(error, Unclear) and tries >= UNCLEAR_TRIES:
                raise Refused(error.status) from error
            if tries == 1:
                log.warning("door_trouble", code=error.status.code, message=error.status.message)
            pause(backoff_s(tries))


def backoff_s(tries: int) -> float:
    """How long to wait after a number of failures, spread so that workers don't come back all at once."""
    longest = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(tries, 16))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing


def _result(call: Any, look: Callable[[], None]) -> Any:
    while True:
        try:
            return call.result(timeout=LOOK_INTERVAL_S)
        except grpc.FutureTimeoutError:
            try:
                look()
            except BaseException:
                call.cancel()
                raise


def _stream_timeout_s(size_bytes: int) -> float:
    return STREAM_TIMEOUT_S + size_bytes / SLOWEST_BYTES_PER_S


def _reason_of(status: status_pb2.Status) -> str | None:
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return None
