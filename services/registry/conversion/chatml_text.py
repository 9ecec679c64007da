"""{"text"} in ChatML: `<|im_start|>role`, a line feed, the content, `<|im_end|>`, turn after turn."""

import re

from services.registry.conversion.conversation import Conversation, Row, Turn, Unfit, other_columns, plain_turns, whole_row
from services.registry.ingest.formats import ROLES
from services.registry.ingest.rows import QUOTE_CHARACTERS, quoted

ROWS = "ChatML texts"
START, END = "<|im_start|>", "<|im_end|>"
_COLUMN = "text"
_SPACE = re.compile(r"\s*")


def read(row: Row) -> Conversation:
    """A text that is ChatML from its first to its last character, but for space between the turns. Raises Unfit."""
    text: str = row[_COLUMN]
    turns: list[Turn] = []
    position = _after_space(text, 0)
    while position < len(text):
        turns.append(_turn(text, position))
        position = _after_space(text, text.index(END, position) + len(END))
    if not turns:
        raise Unfit("has an empty text, and ChatML has turns")
    return Conversation(turns, columns=other_columns(row, (_COLUMN,)))


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _turn(text: str, position: int) -> Turn:
    if not text.startswith(START, position):
        found = quoted(text[position : position + QUOTE_CHARACTERS + 1])
        raise Unfit(f"is not ChatML: {START} is missing at character {position + 1}, before {found}")
    begin = position + len(START)
    end = text.find(END, begin)
    if end < 0:
        raise Unfit(f"is not ChatML: the turn at character {position + 1} has no {END}")
    role, feed, content = text[begin:end].partition("\n")
    if role not in ROLES or not feed:
        raise Unfit(f"is not ChatML: the turn at character {position + 1} is of {quoted(role)}; use one of {', '.join(ROLES)}")
    if START in content:
        raise Unfit(f"is not ChatML: the turn at character {position + 1} has no {END} before the next {START}")
    return Turn(role, content)


def write(conversation: Conversation) -> Row:
    """A row of ChatML text. Raises Unfit for a content that would end its turn, and so speak for somebody else."""
    parts = []
    for index, turn in enumerate(plain_turns(conversation, ROWS)):
        if START in turn.content or END in turn.content:
            raise Unfit(f"has {START} or {END} in the text of turn {index + 1}, which {ROWS} would read as a turn's end")
        parts.append(f"{START}{turn.role}\n{turn.content}{END}\n")
    return whole_row(conversation, {_COLUMN: "".join(parts)}, ROWS)
