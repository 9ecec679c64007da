"""Those who use Tunesmith while it dies: they create jobs and repeat what was not answered, watch, pause and resume."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import json_format
from tunesmith.job.v1 import job_service_pb2 as messages
from tunesmith.job.v1 import job_state_pb2
from tunesmith.job.v1.job_service_pb2_grpc import JobServiceStub

from services.job.domain import TERMINAL
from tests.chaos.log import OperationLog
from tests.chaos.schedule import PlannedJob

CALL_TIMEOUT_S = 10.0
RETRY_S = 0.25
# A watcher hangs up after about so long and comes back.
MEAN_STREAM_S = 6.0
# Codes that say no, whatever happens to processes. Everything else is asked again.
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.OUT_OF_RANGE,
}
_CHANNEL_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
]


class Refused(Exception):
    """The answer was no."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        super().__init__(f"{error.code().name}: {error.details()}")
        self.code = error.code()


class Clients:
    """Several people on one channel."""

    def __init__(self, address: str, log: OperationLog, seed: int) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self.jobs = JobServiceStub(self._channel)
        self._log = log
        self._seed = seed

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()

    async def create(self, request_id: str, configuration: dict[str, Any], who: str) -> str:
        """Create a job, the same request again until it is acknowledged; answers its id. Raises Refused."""
        body = {
            "request_id": request_id,
            "provider": "local",
            "display_name": request_id,
            "configuration": configuration,
            "accept_warnings": True,
        }
        request = json_format.ParseDict(body, messages.CreateJobRequest())
        response = await self.persistently(self.jobs.CreateJob, request, "create", who, request=request_id)
        self._log.add("ok", "create", who, request=request_id, job=response.job.id)
        return str(response.job.id)

    async def pause_and_resume(self, planned: PlannedJob, job_id: str, who: str) -> None:
        """Have a job wait for a while. One that is over by then is left alone."""
        assert planned.pause_s is not None
        for seconds, method, kind in zip(
            planned.pause_s,
            (self.jobs.PauseJob, self.jobs.ResumeJob),
            (messages.PauseJobRequest, messages.ResumeJobRequest),
            strict=True,
        ):
            await asyncio.sleep(seconds)
            what = kind.DESCRIPTOR.name
            try:
                request = kind(id=job_id, request_id=f"{planned.request_id}-{what}")
                response = await self.persistently(method, request, what, who, job=job_id)
            except Refused as refused:
                if refused.code is not grpc.StatusCode.FAILED_PRECONDITION:
                    raise
                return
            self._log.add("ok", what, who, job=job_id, state=job_state_pb2.JobState.Name(response.job.state))

    async def watch(self, job_id: str, who: str) -> None:
        """See a job to its end, over many streams: those that break, and those that are dropped on purpose."""
        chance = random.Random(f"{self._seed}-{who}")
        request = messages.WatchJobRequest(id=job_id)
        is_over = False
        while not is_over:
            is_over = await self._follow(request, chance.expovariate(1 / MEAN_STREAM_S), who)
            await asyncio.sleep(RETRY_S)

    async def _follow(self, request: messages.WatchJobRequest, seconds: float, who: str) -> bool:
        """One stream; tells whether it ended because the job did."""
        is_over = False
        stream = self.jobs.WatchJob(request)
        try:
            async with asyncio.timeout(seconds):
                async for response in stream:
                    is_over = response.job.state in TERMINAL
                    self._write_down(response, who)
                    if response.events:
                        request.after_sequence = response.events[-1].sequence
                    request.after_metric_cursor = max(request.after_metric_cursor, response.metric_cursor)
        except TimeoutError:
            stream.cancel()
            self._log.add("seen", "dropped", who, after=request.after_sequence)
            return False
        except grpc.aio.AioRpcError as error:
            self._log.add("seen", "broken", who, code=error.code().name, after=request.after_sequence)
            if error.code() in REFUSALS:
                raise Refused(error) from error
            return False
        return is_over

    def _write_down(self, response: messages.WatchJobResponse, who: str) -> None:
        self._log.add(
            "seen",
            "watch",
            who,
            job=response.job.id,
            state=job_state_pb2.JobState.Name(response.job.state),
            sequences=[event.sequence for event in response.events],
        )

    async def persistently(self, method: Callable[..., Any], message: Any, what: str, who: str, **facts: Any) -> Any:
        """Call until there is an answer. Raises Refused."""
        while True:
            self._log.add("invoke", what, who, **facts)
            try:
                return await method(message, timeout=CALL_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                refused = error.code() in REFUSALS
                text = f"{error.code().name}: {error.details()}"
                self._log.add("fail" if refused else "unknown", what, who, error=text, **facts)
                if refused:
                    raise Refused(error) from error
            await asyncio.sleep(RETRY_S)
