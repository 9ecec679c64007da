"""Follows a job to its end, and says when the connection broke and came back."""

from collections.abc import Iterator

from tunesmith.cli.session import Session
from tunesmith.client.watch import GIVE_UP_S
from tunesmith.job.v1.job_service_pb2 import WatchJobResponse

# What shows the last values alone needs no more of a long job's past.
LAST_POINTS = 1


def watch_job(
    session: Session, job_id: str, give_up_s: float = GIVE_UP_S, max_points_per_series: int = 0
) -> Iterator[WatchJobResponse]:
    """What happens to a job until it is over."""

    def on_break(broken: bool) -> None:
        session.output.note("the stream broke; taking it up again" if broken else "connected again")

    return session.client.watch_job(job_id, max_points_per_series=max_points_per_series, give_up_s=give_up_s, on_break=on_break)
