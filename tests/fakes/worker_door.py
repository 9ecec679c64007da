"""WorkerService in memory on a real port: leases, sequences, fencing and hashes as the job service has them."""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NoReturn

import grpc
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from tunesmith.job.v1 import artifact_pb2
from tunesmith.worker.v1 import inquiry_pb2, worker_service_pb2_grpc
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.errors import InvalidArgument
from services.chassis.ids import new_id
from services.chassis.validation import check
from workers.providers.asked import needs_for
from workers.providers.needs import fits

# Small, so that a test's few bytes come in several messages.
CHUNK_BYTES = 1000
WAIT_S = 20.0
LEASE_SECONDS = 30.0


@dataclass
class FakeJob:
    """One job: what it is given, and everything a worker said of it."""

    assignment: worker.Assignment
    rows: dict[int, bytes]
    model_files: dict[str, bytes] = field(default_factory=dict)
    # Of the model that a distillation imitates.
    teacher_files: dict[str, bytes] = field(default_factory=dict)
    directive: worker.Directive = worker.DIRECTIVE_CONTINUE
    leased: bool = False
    sequence: int = 0
    reports: list[worker.ReportRequest] = field(default_factory=list)
    heartbeats: int = 0
    outcome: worker.Outcome | None = None
    released: list[str] = field(default_factory=list)
    # What the worker itself said of how its attempts ended.
    release_errors: list[status_pb2.Status] = field(default_factory=list)
    # Those of `released` that somebody meant.
    stopped_on_purpose: list[str] = field(default_factory=list)
    # Complete sets only: name -> path -> bytes.
    artifacts: dict[str, dict[str, bytes]] = field(default_factory=dict)
    # The latest training state; the next attempt is given it.
    state_files: dict[str, bytes] = field(default_factory=dict)
    # What an export is made from.
    source_files: dict[str, bytes] = field(default_factory=dict)
    # What of "report" and "set" happened, in order.
    history: list[str] = field(default_factory=list)

    def events(self, kind: int) -> list[str]:
        """Messages of all events of one type, in order."""
        return [event.message for report in self.reports for event in report.events if event.type == kind]

    def keep_state(self, step: int, files: dict[str, bytes]) -> None:
        """Where an attempt stands."""
        self.state_files = files
        state = worker.TrainingState(step=step)
        for path, content in files.items():
            state.files.add(path=path, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        self.assignment.training_state.CopyFrom(state)

    def give_source(self, files: dict[str, bytes]) -> None:
        """Make an export of it."""
        self.source_files = files
        source = self.assignment.export_source
        for path, content in files.items():
            source.files.add(path=path, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    def teach(self, files: dict[str, bytes]) -> None:
        """Give the job a teacher of these files."""
        self.teacher_files = files
        for path, content in files.items():
            digest = hashlib.sha256(content).hexdigest()
            self.assignment.teacher_model.files.add(path=path, size_bytes=len(content), sha256=digest)

    def points(self, key: str) -> list[tuple[int, float]]:
        """Steps and values of one series, in order."""
        chunks = [chunk for report in self.reports for chunk in report.metrics if chunk.key == key]
        return [point for chunk in chunks for point in zip(chunk.steps, chunk.values, strict=True)]


class FakeDoor(worker_service_pb2_grpc.WorkerServiceServicer):
    """Add jobs, start it, let a worker work, then look at the jobs."""

    def __init__(self) -> None:
        self.jobs: dict[str, FakeJob] = {}
        self.pools: list[worker.RegisterPoolRequest] = []
        self.calls: list[str] = []
        # Errors that the next calls of a method get instead of an answer.
        self.failures: dict[str, list[grpc.StatusCode]] = {}
        # As many calls of a method are done, but their answers are lost on the way.
        self.lost_answers: dict[str, int] = {}
        # Called with each chunk of a download before it is sent.
        self.on_chunk: Callable[[], None] = lambda: None
        # Inquiries that are handed out one after another, and what pools answered.
        self.inquiries: deque[inquiry_pb2.Inquiry] = deque()
        self.answers: list[inquiry_pb2.InquiryAnswer] = []
        self._queue: deque[str] = deque()
        self._changed = threading.Condition()
        self._server: grpc.Server | None = None
        self.port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; after a `stop`, on the same port again."""
        self._server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self) -> None:
        """Hang up on everyone."""
        with self._changed:
            self._changed.notify_all()
        if self._server is not None:
            self._server.stop(None).wait()

    def add_job(self, assignment: worker.Assignment, training: bytes, validation: bytes = b"", **files: bytes) -> FakeJob:
        """Queue a job. The assignment gets an id, and its inputs their sizes and hashes."""
        made = worker.Assignment()
        made.CopyFrom(assignment)
        made.lease.job_id = new_id()
        made.lease.epoch = 0
        made.lease_seconds = made.lease_seconds or LEASE_SECONDS
        made.training_dataset.size_bytes = len(training)
        made.training_dataset.sha256 = hashlib.sha256(training).hexdigest()
        rows = {worker.DATASET_ROLE_TRAINING: training}
        if validation:
            made.validation_dataset.size_bytes = len(validation)
            made.validation_dataset.sha256 = hashlib.sha256(validation).hexdigest()
            rows[worker.DATASET_ROLE_VALIDATION] = validation
        for path, content in files.items():
            digest = hashlib.sha256(content).hexdigest()
            made.base_model.files.add(path=path, size_bytes=len(content), sha256=digest)
        job = FakeJob(made, rows, dict(files))
        with self._changed:
            self.jobs[made.lease.job_id] = job
            self._queue.append(made.lease.job_id)
            self._changed.notify_all()
        return job

    def inquire(self, inquiry: inquiry_pb2.Inquiry, timeout_s: float = WAIT_S) -> inquiry_pb2.InquiryAnswer:
        """Ask a pool, and wait for its answer."""
        asked_id = self.give(inquiry)
        self.wait_for(lambda: any(answer.inquiry_id == asked_id for answer in self.answers), timeout_s)
        return next(answer for answer in self.answers if answer.inquiry_id == asked_id)

    def give(self, inquiry: inquiry_pb2.Inquiry) -> str:
        """Ask a pool without waiting; answers the inquiry's id."""
        asked = inquiry_pb2.Inquiry()
        asked.CopyFrom(inquiry)
        asked.id = new_id()
        with self._changed:
            self.inquiries.append(asked)
            self._changed.notify_all()
        return asked.id

    def take(self, job: FakeJob) -> worker.Assignment:
        """Lease a job by hand."""
        with self._changed:
            self._queue.remove(job.assignment.lease.job_id)
            return self._assign(job)

    def fence(self, job: FakeJob) -> None:
        """Another worker has the job now."""
        with self._changed:
            job.assignment.lease.epoch += 1

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
        """Wait until something became true, or fail."""
        with self._changed:
            assert self._changed.wait_for(condition, timeout_s), "it did not happen in time"

    def RegisterPool(self, request: worker.RegisterPoolRequest, context: grpc.ServicerContext) -> worker.RegisterPoolResponse:
        self._begin("RegisterPool", request, context)
        with self._changed:
            self.pools.append(request)
            self._changed.notify_all()
        return worker.RegisterPoolResponse()

    def Lease(self, request: worker.LeaseRequest, context: grpc.ServicerContext) -> worker.LeaseResponse:
        self._begin("Lease", request, context)
        if not any(pool.pool_id == request.pool_id for pool in self.pools):
            _abort(context, code_pb2.FAILED_PRECONDITION, "register first", "POOL_NOT_REGISTERED")
        with self._changed:
            self._changed.wait_for(lambda: self._first_for(request) or not context.is_active(), request.wait_seconds)
            job_id = self._first_for(request)
            if job_id is None or not context.is_active():
                return worker.LeaseResponse()
            self._queue.remove(job_id)
            return worker.LeaseResponse(assignment=self._assign(self.jobs[job_id]))

    def _first_for(self, request: worker.LeaseRequest) -> str | None:
        """The job that has waited longest of those that the slot's hardware is enough for."""
        for job_id in self._queue:
            assignment = self.jobs[job_id].assignment
            needs = needs_for(assignment.provider, assignment.configuration)
            if not request.HasField("offer") or fits(needs, request.offer):
                return job_id
        return None

    def Heartbeat(self, request: worker.HeartbeatRequest, context: grpc.ServicerContext) -> worker.HeartbeatResponse:
        self._begin("Heartbeat", request, context)
        with self._changed:
            job = self._leased(request.lease, context)
            job.heartbeats += 1
            self._changed.notify_all()
            return worker.HeartbeatResponse(directive=job.directive)

    def Report(self, request: worker.ReportRequest, context: grpc.ServicerContext) -> worker.ReportResponse:
        self._begin("Report", request, context)
        with self._changed:
            job = self.jobs[request.lease.job_id]
            if request.lease.epoch == job.assignment.lease.epoch and request.sequence <= job.sequence:
                return worker.ReportResponse(directive=job.directive)
            self._leased(request.lease, context)
            if request.sequence != job.sequence + 1:
                _abort(context, code_pb2.INVALID_ARGUMENT, f"send {job.sequence + 1} next, not {request.sequence}")
            job.sequence = request.sequence
            job.reports.append(request)
            job.history.append("report")
            if request.HasField("outcome"):
                job.outcome, job.leased = request.outcome, False
            self._changed.notify_all()
        self._lose_answer("Report", context)
        return worker.ReportResponse(directive=job.directive)

    def ReleaseLease(self, request: worker.ReleaseLeaseRequest, context: grpc.ServicerContext) -> worker.ReleaseLeaseResponse:
        self._begin("ReleaseLease", request, context)
        with self._changed:
            job = self._leased(request.lease, context)
            job.released.append(request.reason)
            if request.HasField("error"):
                job.release_errors.append(request.error)
            if request.stopped_on_purpose:
                job.stopped_on_purpose.append(request.reason)
            job.leased = False
            self._queue.append(request.lease.job_id)
            self._changed.notify_all()
        return worker.ReleaseLeaseResponse()

    def TakeInquiry(self, request: worker.TakeInquiryRequest, context: grpc.ServicerContext) -> worker.TakeInquiryResponse:
        self._begin("TakeInquiry", request, context)
        with self._changed:
            self._changed.wait_for(lambda: self.inquiries or not context.is_active(), request.wait_seconds)
            if not self.inquiries or not context.is_active():
                return worker.TakeInquiryResponse()
            return worker.TakeInquiryResponse(inquiry=self.inquiries.popleft())

    def AnswerInquiry(self, request: worker.AnswerInquiryRequest, context: grpc.ServicerContext) -> worker.AnswerInquiryResponse:
        self._begin("AnswerInquiry", request, context)
        with self._changed:
            self.answers.append(request.answer)
            self._changed.notify_all()
        return worker.AnswerInquiryResponse()

    def ReadDataset(
        self, request: worker.ReadDatasetRequest, context: grpc.ServicerContext
    ) -> Iterator[worker.ReadDatasetResponse]:
        self._begin("ReadDataset", request, context)
        rows = self._leased(request.lease, context).rows[request.role]
        for chunk in self._chunks(rows):
            yield worker.ReadDatasetResponse(chunk=chunk)

    def ReadBaseModelFile(
        self, request: worker.ReadBaseModelFileRequest, context: grpc.ServicerContext
    ) -> Iterator[worker.ReadBaseModelFileResponse]:
        self._begin("ReadBaseModelFile", request, context)
        job = self._leased(request.lease, context)
        files = job.teacher_files if request.role == worker.MODEL_ROLE_TEACHER else job.model_files
        content = files[request.path]
        for chunk in self._chunks(content):
            yield worker.ReadBaseModelFileResponse(chunk=chunk)

    def ReadTrainingStateFile(
        self, request: worker.ReadTrainingStateFileRequest, context: grpc.ServicerContext
    ) -> Iterator[worker.ReadTrainingStateFileResponse]:
        self._begin("ReadTrainingStateFile", request, context)
        content = self._leased(request.lease, context).state_files[request.path]
        for chunk in self._chunks(content):
            yield worker.ReadTrainingStateFileResponse(chunk=chunk)

    def ReadExportSourceFile(
        self, request: worker.ReadExportSourceFileRequest, context: grpc.ServicerContext
    ) -> Iterator[worker.ReadExportSourceFileResponse]:
        self._begin("ReadExportSourceFile", request, context)
        content = self._leased(request.lease, context).source_files[request.path]
        for chunk in self._chunks(content):
            yield worker.ReadExportSourceFileResponse(chunk=chunk)

    def WriteArtifactSet(
        self, request_iterator: Iterator[worker.WriteArtifactSetRequest], context: grpc.ServicerContext
    ) -> worker.WriteArtifactSetResponse:
        first = next(request_iterator)
        self._begin("WriteArtifactSet", first, context)
        job = self._leased(first.set.lease, context)
        announced: list[worker.ArtifactFileHeader] = []
        content: list[bytes] = []
        for part in request_iterator:
            check(part)
            if part.HasField("file"):
                announced.append(part.file)
                content.append(b"")
            else:
                content[-1] += part.chunk
        if len(announced) != first.set.file_count:
            _abort(context, code_pb2.INVALID_ARGUMENT, "a file is missing")
        for header, data in zip(announced, content, strict=True):
            if len(data) != header.size_bytes or hashlib.sha256(data).hexdigest() != header.sha256:
                _abort(context, code_pb2.INVALID_ARGUMENT, f"{header.path} is not what was announced")
        with self._changed:
            self._leased(first.set.lease, context)
            stored = {header.path: data for header, data in zip(announced, content, strict=True)}
            if first.set.kind == artifact_pb2.ARTIFACT_KIND_TRAINING_STATE:
                job.keep_state(first.set.step, stored)
            else:
                job.artifacts.setdefault(first.set.name, stored)
            job.history.append(f"set {first.set.name}")
            self._changed.notify_all()
        self._lose_answer("WriteArtifactSet", context)
        return worker.WriteArtifactSetResponse(set_id=new_id())

    def _assign(self, job: FakeJob) -> worker.Assignment:
        job.assignment.lease.epoch += 1
        job.assignment.attempt += 1
        job.leased, job.sequence = True, 0
        answer = worker.Assignment()
        answer.CopyFrom(job.assignment)
        return answer

    def _begin(self, method: str, request: Message, context: grpc.ServicerContext) -> None:
        with self._changed:
            self.calls.append(method)
            self._changed.notify_all()
        try:
            check(request)
        except InvalidArgument as error:
            _abort(context, code_pb2.INVALID_ARGUMENT, error.message)
        waiting = self.failures.get(method)
        if waiting:
            code = waiting.pop(0)
            _abort(context, code.value[0], f"{method} fails because the test says so")

    def _lose_answer(self, method: str, context: grpc.ServicerContext) -> None:
        if self.lost_answers.get(method, 0) > 0:
            self.lost_answers[method] -= 1
            _abort(context, code_pb2.UNAVAILABLE, "the answer was lost")

    def _leased(self, lease: worker.LeaseToken, context: grpc.ServicerContext) -> FakeJob:
        job = self.jobs[lease.job_id]
        if not job.leased or lease.epoch != job.assignment.lease.epoch:
            _abort(context, code_pb2.ABORTED, f"lease {lease.epoch} is over", "LEASE_LOST")
        return job

    def _chunks(self, content: bytes) -> Iterator[bytes]:
        for start in range(0, len(content), CHUNK_BYTES):
            self.on_chunk()
            yield content[start : start + CHUNK_BYTES]


def _abort(context: grpc.ServicerContext, code: int, message: str, reason: str | None = None) -> NoReturn:
    status = status_pb2.Status(code=code, message=message)
    if reason is not None:
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="tunesmith"))
    context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort raises")
