"""How much of stored rows is text that is trained on, from some of them: rendering each would cost a tenth of an upload."""

from typing import Any

from services.registry.ingest.detect import Format
from services.registry.statistics.estimate import estimated_tokens
from services.registry.statistics.rendering import RENDERERS, overhead_tokens

# All of the first rows, then one in so many; a prime, because rows may take turns in twos and tens.
_FIRST_ROWS = 256
_ONE_IN = 61


class TextShare:
    """Tokens by bytes of rows that pass."""

    def __init__(self) -> None:
        self._seen = 0
        self._row_bytes = 0
        self._tokens = 0

    def add(self, kind: Format, row: dict[str, Any], row_bytes: int) -> None:
        """Look at a row, or let it pass. It must be one of its format."""
        self._seen += 1
        if self._seen > _FIRST_ROWS and self._seen % _ONE_IN:
            return
        rendered = RENDERERS[kind](row)
        # With its line feed.
        self._row_bytes += row_bytes + 1
        self._tokens += estimated_tokens(len(rendered.text.encode())) + overhead_tokens(rendered, chat_template=True)

    def tokens(self, size_bytes: int) -> int:
        """The tokens of so many bytes of such rows."""
        return round(size_bytes * self._tokens / self._row_bytes) if self._row_bytes else 0
