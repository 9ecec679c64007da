"""Follows a job to its end, over as many streams as it takes."""

import time
from collections.abc import Iterator

import grpc
from tunesmith.cli.errors import EXIT_UNREACHABLE, CliError
from tunesmith.cli.session import Session
from tunesmith.job.v1 import job_service_pb2 as messages
from tunesmith.job.v1 import job_state_pb2

TERMINAL = frozenset({job_state_pb2.JOB_STATE_SUCCEEDED, job_state_pb2.JOB_STATE_FAILED, job_state_pb2.JOB_STATE_CANCELLED})
# A restart of the server, or a laptop that slept, takes less; the job itself goes on meanwhile.
GIVE_UP_S = 600.0
FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0
# How a stream breaks, as against a call that the server refuses.
_BROKEN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)


def watch_job(session: Session, job_id: str, give_up_s: float = GIVE_UP_S) -> Iterator[messages.WatchJobResponse]:
    """What happens to a job until it is over. After a broken stream it goes on from the last event, so that each comes once.

    Raises CliError when no server was heard of for `give_up_s`, and what the call raises when the first stream can't begin.
    """
    request = messages.WatchJobRequest(id=job_id)
    last_heard: float | None = None
    delay = FIRST_DELAY_S
    while True:
        state = job_state_pb2.JOB_STATE_UNSPECIFIED
        try:
            for response in session.connection.jobs.WatchJob(request):
                if last_heard is not None and delay > FIRST_DELAY_S:
                    session.output.note("connected again")
                last_heard, delay, state = time.monotonic(), FIRST_DELAY_S, response.job.state
                if response.events:
                    request.after_sequence = response.events[-1].sequence
                request.after_metric_cursor = max(request.after_metric_cursor, response.metric_cursor)
                yield response
            if state in TERMINAL:
                return
        except grpc.RpcError as error:
            if last_heard is None or error.code() not in _BROKEN:
                raise
        if last_heard is not None and time.monotonic() - last_heard > give_up_s:
            text = (
                f"nothing heard of the job for {give_up_s:.0f} s; it may still run: `tunesmith jobs watch {job_id}` looks again"
            )
            raise CliError(text, EXIT_UNREACHABLE)
        if delay == FIRST_DELAY_S:
            session.output.note("the stream broke; taking it up again")
        time.sleep(delay)
        delay = min(LONGEST_DELAY_S, delay * 2)
