"""Lists that come in pages, gathered into one answer."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

# What every list gives at once.
PAGE_SIZE = 200

Page = TypeVar("Page", bound=Message)


class Gathering(Generic[Page]):
    """Pages as one answer of at most `limit` items."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._answer: Page | None = None
        self._field = ""

    def arguments(self) -> dict[str, Any] | None:
        """What to ask for next beside the list's own filters; None when all is there."""
        if self._answer is None:
            return {"page_size": min(PAGE_SIZE, self._limit or PAGE_SIZE)}
        missing = PAGE_SIZE if self._limit is None else self._limit - len(getattr(self._answer, self._field))
        token: str = self._answer.next_page_token  # type: ignore[attr-defined]
        return {"page_size": min(PAGE_SIZE, missing), "page_token": token} if token and missing > 0 else None

    def add(self, page: Page) -> None:
        """A page came."""
        if self._answer is None:
            self._answer = page
            self._field = next(field.name for field in page.DESCRIPTOR.fields if field.is_repeated)
        else:
            getattr(self._answer, self._field).extend(getattr(page, self._field))
            self._answer.next_page_token = page.next_page_token  # type: ignore[attr-defined]

    @property
    def answer(self) -> Page:
        """All of it; its next_page_token says whether the limit has cut it."""
        assert self._answer is not None
        return self._answer


def gather(call: Callable[..., Page], limit: int | None = None, **filters: Any) -> Page:
    """All pages of a list, or as many as hold `limit` items: `gather(client.jobs.list_jobs, provider="local")`."""
    gathering: Gathering[Page] = Gathering(limit)
    while (arguments := gathering.arguments()) is not None:
        gathering.add(call(**filters, **arguments))
    return gathering.answer


async def gather_async(call: Callable[..., Awaitable[Page]], limit: int | None = None, **filters: Any) -> Page:
    """`gather` for an event loop."""
    gathering: Gathering[Page] = Gathering(limit)
    while (arguments := gathering.arguments()) is not None:
        gathering.add(await call(**filters, **arguments))
    return gathering.answer
