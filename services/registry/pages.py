"""Pages of a list, newest first, each small enough for one answer."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import Connection, RowMapping, Select, Table

from services.chassis.paging import encode_token, read_page

# A page has to fit into one gRPC message of 16 MiB, and a model's chat template and file list may be long.
_PAGE_BYTES = 8 * 1024 * 1024


def read_fitting_page(
    connection: Connection, table: Table, query: Select[Any], request: Message
) -> tuple[Sequence[RowMapping], str]:
    """The rows of one page, at least one if there is any, and the token of the next."""
    rows, token = read_page(connection, query, table.c.id, request)
    fitting = max(1, sum(total <= _PAGE_BYTES for total in accumulate(len(row["definition"]) for row in rows)))
    if fitting < len(rows):
        rows = rows[:fitting]
        token = encode_token(request, rows[-1]["id"])
    return rows, token
