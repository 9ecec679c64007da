"""Which of the jobs that wait a pool's slot gets: the one that has waited longest of those that it has the hardware for."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, RowMapping
from tunesmith.job.v1 import job_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from services.job import storage
from workers.providers.asked import needs_for
from workers.providers.needs import Needs, fits

_PAGE = 100
# A job's needs never change, and a job that waits for a GPU is looked at by every slot each second.
_known: dict[str, Needs] = {}
_MOST_KNOWN = 50_000


def next_for(connection: Connection, providers: Sequence[str], request: door.LeaseRequest) -> RowMapping | None:
    """The job that a slot gets; None if there is none for it. A request without an offer takes any."""
    for job_id in _waiting(connection, providers):
        if not request.HasField("offer") or fits(_needs(connection, job_id), request.offer):
            row = storage.take_queued(connection, job_id)
            if row is not None:
                return row
    return None


def _waiting(connection: Connection, providers: Sequence[str]) -> Iterator[str]:
    after = ""
    while page := storage.queued(connection, providers, after, _PAGE):
        yield from page
        after = page[-1]


def _needs(connection: Connection, job_id: str) -> Needs:
    needs = _known.get(job_id)
    if needs is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        definition = job_pb2.Job.FromString(storage.definition_of(connection, job_id))
        # What asks for no hardware leaves the configuration empty.
        needs = _known[job_id] = needs_for(definition.provider, definition.resolved_configuration)
    return needs
