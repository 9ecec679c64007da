"""Lists that come in pages."""

from collections.abc import Callable
from typing import Annotated, Any

import typer
from tunesmith.cli.output import Output
from tunesmith.cli.session import CALL_TIMEOUT_S

PAGE_SIZE = 200
DEFAULT_LIMIT = 50

LimitOption = Annotated[int, typer.Option("--limit", min=1, help="How many to list at most.")]


def gather(call: Callable[..., Any], request: Any, field: str, limit: int, output: Output, empty: str) -> Any:
    """The pages of a list as one answer of at most `limit` items. Says if there are more, and `empty` if there is none."""
    gathered: Any = None
    missing = limit
    while True:
        request.page_size = min(PAGE_SIZE, missing)
        page = call(request, timeout=CALL_TIMEOUT_S)
        if gathered is None:
            gathered = page
        else:
            getattr(gathered, field).extend(getattr(page, field))
            gathered.next_page_token = page.next_page_token
        missing = limit - len(getattr(gathered, field))
        if missing <= 0 or not page.next_page_token:
            break
        request.page_token = page.next_page_token
    if missing == limit:
        output.note(empty)
    if gathered.next_page_token:
        output.note(f"only the first {limit}; --limit lists more")
    return gathered
