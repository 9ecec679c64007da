"""Pages of a list, newest first."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import Connection, RowMapping, Select, Table

from services.chassis.paging import decode_token, encode_token, page_size, split_page

# A page has to fit into one gRPC message of 16 MiB, and a model's chat template and file list may be long.
_PAGE_BYTES = 8 * 1024 * 1024


def read_page(connection: Connection, table: Table, query: Select[Any], request: Message) -> tuple[Sequence[RowMapping], str]:
    """The rows of one page and the token of the next. Ids are UUIDv7, so their order is that of creation."""
    after = decode_token(request)
    if after is not None:
        query = query.where(table.c.id < after)
    size = page_size(request.page_size)  # type: ignore[attr-defined]
    rows = connection.execute(query.order_by(table.c.id.desc()).limit(size + 1)).mappings().all()
    rows, more = split_page(rows, size)
    fitting = max(1, sum(total <= _PAGE_BYTES for total in accumulate(len(row["definition"]) for row in rows)))
    more, rows = more or fitting < len(rows), rows[:fitting]
    return rows, encode_token(request, rows[-1]["id"]) if more else ""
