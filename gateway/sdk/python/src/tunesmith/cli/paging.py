"""Lists that come in pages."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from google.protobuf.message import Message
from tunesmith.cli.output import Output
from tunesmith.client import paging

DEFAULT_LIMIT = 50

LimitOption = Annotated[int, typer.Option("--limit", min=1, help="How many to list at most.")]
Page = TypeVar("Page", bound=Message)


def gather(call: Callable[..., Page], limit: int, output: Output, empty: str, **filters: Any) -> Page:
    """At most `limit` items of a list. Says if there are more, and `empty` if there is none."""
    answer = paging.gather(call, limit, **filters)
    if not answer.ListFields():
        output.note(empty)
    if answer.next_page_token:  # type: ignore[attr-defined]
        output.note(f"only the first {limit}; --limit lists more")
    return answer
