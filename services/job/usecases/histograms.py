"""Histograms of the trained weights: what a worker took is stored, and read page by page."""

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection, func, select, tuple_
from tunesmith.job.v1 import histogram_pb2, job_service_pb2

from services.chassis.errors import InvalidArgument, ResourceExhausted
from services.chassis.paging import decode_token, encode_token, page_size, split_page
from services.job import storage

PAGE_SIZE = 500
# A worker sends at most 1,000 layers at 101 steps, of half a kilobyte each.
MOST_HISTOGRAMS_A_JOB = 110_000


def store_histograms(connection: Connection, job_id: str, histograms: Sequence[histogram_pb2.WeightHistogram]) -> None:
    """Store what a report has. One of the same layer and step takes the earlier one's place: a resumed attempt takes it again.

    Raises ResourceExhausted, reason TOO_MANY_HISTOGRAMS, if a worker sends more than any job needs.
    """
    if not histograms:
        return
    table = storage.histograms
    by_place = {(one.step, one.layer): one for one in histograms}
    own = table.c.job_id == job_id
    for step in {step for step, _ in by_place}:
        layers = [layer for at, layer in by_place if at == step]
        connection.execute(table.delete().where(own, table.c.step == step, table.c.layer.in_(layers)))
    count = connection.execute(select(func.count()).select_from(table).where(own)).scalar_one()
    if count + len(by_place) > MOST_HISTOGRAMS_A_JOB:
        text = f"a job has at most {MOST_HISTOGRAMS_A_JOB:,} histograms; take them of fewer layers or steps"
        raise ResourceExhausted("TOO_MANY_HISTOGRAMS", text)
    rows = [
        {"job_id": job_id, "step": step, "layer": layer, "histogram": one.SerializeToString()}
        for (step, layer), one in by_place.items()
    ]
    connection.execute(table.insert(), rows)


def list_histograms(
    connection: Connection, request: job_service_pb2.ListJobHistogramsRequest
) -> job_service_pb2.ListJobHistogramsResponse:
    """A page of a job's histograms; none for a job that took none. Raises NotFound if there is no such job."""
    storage.find_job(connection, request.job_id)
    table = storage.histograms
    query = select(table.c.step, table.c.layer, table.c.histogram).where(table.c.job_id == request.job_id)
    if request.layer:
        query = query.where(table.c.layer == request.layer)
    if request.HasField("after_step"):
        query = query.where(table.c.step > request.after_step)
    place = decode_token(request)
    if place is not None:
        query = query.where(tuple_(table.c.step, table.c.layer) > tuple_(*_place(place)))
    size = page_size(request.page_size, PAGE_SIZE)
    ordered = query.order_by(table.c.step, table.c.layer).limit(size + 1)
    rows, more = split_page(connection.execute(ordered).mappings().all(), size)
    token = encode_token(request, orjson.dumps([rows[-1]["step"], rows[-1]["layer"]]).decode()) if more else ""
    found = [histogram_pb2.WeightHistogram.FromString(row["histogram"]) for row in rows]
    return job_service_pb2.ListJobHistogramsResponse(histograms=found, next_page_token=token)


def _place(key: str | int) -> tuple[int, str]:
    try:
        step, layer = orjson.loads(str(key))
        return int(step), str(layer)
    except (orjson.JSONDecodeError, TypeError, ValueError):
        raise InvalidArgument([("page_token", "not a token of this server; pass next_page_token as it came")]) from None
