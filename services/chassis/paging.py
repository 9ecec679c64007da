"""Page tokens: opaque to callers, bound to the query they came from."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import orjson
from google.protobuf.message import Message
from sqlalchemy import Column, Connection, RowMapping, Select

from services.chassis.errors import InvalidArgument

DEFAULT_PAGE_SIZE = 50

Row = TypeVar("Row")


def page_size(requested: int, default: int = DEFAULT_PAGE_SIZE) -> int:
    """How many rows to answer with."""
    return requested or default


def encode_token(request: Message, key: str | int) -> str:
    """The token of the page that begins after `key`."""
    return base64.urlsafe_b64encode(orjson.dumps([_query_of(request), key])).decode()


def decode_token(request: Message) -> str | int | None:
    """The key a request's page begins after; None for the first page.

    Raises InvalidArgument for a token that is not ours, or that came from a request with other filters.
    """
    token: str = request.page_token  # type: ignore[attr-defined]
    if not token:
        return None
    try:
        query, key = orjson.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError, TypeError):
        raise InvalidArgument([("page_token", "not a token of this server; pass next_page_token as it came")]) from None
    if query != _query_of(request):
        text = "came from a request with other filters; send the same ones, or begin again without it"
        raise InvalidArgument([("page_token", text)])
    return key


def split_page(rows: Sequence[Row], size: int) -> tuple[Sequence[Row], bool]:
    """Cut rows that were fetched with a limit of `size + 1`; tells whether there are more."""
    return rows[:size], len(rows) > size


def read_page(
    connection: Connection,
    query: Select[Any],
    key: Column[str],
    request: Message,
    *,
    ascending: bool = False,
    default_size: int = DEFAULT_PAGE_SIZE,
) -> tuple[Sequence[RowMapping], str]:
    """The rows of one page in the order of a key, and the token of the next page; empty on the last.

    For the order of creation the key is the id: ids are UUIDv7.
    """
    after = decode_token(request)
    if after is not None:
        query = query.where(key > after if ascending else key < after)
    size = page_size(request.page_size, default_size)  # type: ignore[attr-defined]
    ordered = query.order_by(key if ascending else key.desc()).limit(size + 1)
    rows, more = split_page(connection.execute(ordered).mappings().all(), size)
    return rows, encode_token(request, rows[-1][key.name]) if more else ""


def _query_of(request: Message) -> str:
    query = type(request)()
    query.CopyFrom(request)
    for field in ("page_token", "page_size"):
        query.ClearField(field)
    return hashlib.sha256(query.SerializeToString(deterministic=True)).hexdigest()[:16]
