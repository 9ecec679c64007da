"""{"messages": [{"role", "content"}, …]}: everything has a place here."""

from typing import Any

from services.registry.conversion.conversation import Conversation, Row, Turn, other_columns, whole_row

ROWS = "rows of messages"
_COLUMN, _TOOLS = "messages", "tools"


def read(row: Row) -> Conversation:
    """A row of messages; what its turns carry beside role and content is kept."""
    turns = [turn_of(message) for message in row[_COLUMN]]
    columns = other_columns(row, (_COLUMN, _TOOLS))
    tools = row.get(_TOOLS)
    if type(tools) is list:
        return Conversation(turns, tools, columns)
    if tools is not None:
        columns[_TOOLS] = tools
    return Conversation(turns, [], columns)


def write(conversation: Conversation) -> Row:
    """A row of messages."""
    messages = [{"role": turn.role, "content": turn.content, **turn.extras} for turn in conversation.turns]
    own: Row = {_COLUMN: messages}
    if conversation.tools:
        own[_TOOLS] = conversation.tools
    return whole_row(conversation, own, ROWS)


def turn_of(message: dict[str, Any]) -> Turn:
    """A message's turn. A key that holds null says no more than one that is not there."""
    extras = {name: value for name, value in message.items() if name not in ("role", "content") and value is not None}
    return Turn(message["role"], message["content"], extras)
