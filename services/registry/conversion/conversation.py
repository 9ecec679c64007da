"""The form between all shapes: who says what, in order, and what else the row holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.registry.ingest.rows import quoted

Row = dict[str, Any]

SYSTEM, USER, ASSISTANT, TOOL = "system", "user", "assistant", "tool"
# What the turns of messages may carry beside role and content, as OpenAI and the chat templates of Hugging Face name it.
NAME, TOOL_CALLS, TOOL_CALL_ID, WEIGHT = "name", "tool_calls", "tool_call_id", "weight"


class Unfit(Exception):
    """Why a row has no place in the target, in words that follow its line number."""


@dataclass(slots=True)
class Turn:
    """One turn. `extras` are further keys of a message; a shape that has no room for one names it and refuses the row."""

    role: str
    content: str
    extras: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Conversation:
    """A row in the common form."""

    turns: list[Turn]
    # Descriptions of the functions that may be called, as JSON Schema.
    tools: list[Any] = field(default_factory=list)
    # Columns that are no part of the conversation, such as an id: they go along unchanged.
    columns: Row = field(default_factory=dict)


def other_columns(row: Mapping[str, Any], own: Sequence[str]) -> Row:
    """The columns of a row that its shape does not know."""
    return {name: value for name, value in row.items() if name not in own}


def whole_row(conversation: Conversation, own: Row, target: str) -> Row:
    """A row of the target's own columns and of those that go along. Raises Unfit where two have one name."""
    for name in conversation.columns:
        if name in own:
            raise Unfit(f"has a column {quoted(name)} beside its conversation, which {target} use for it; rename the column")
    return {**own, **conversation.columns}


def plain_turns(conversation: Conversation, target: str) -> list[Turn]:
    """The turns of a conversation for a target that holds roles and texts only. Raises Unfit."""
    if conversation.tools:
        raise Unfit(f"has tools, which {target} have no room for")
    for index, turn in enumerate(conversation.turns):
        if turn.extras:
            raise Unfit(f"has {next(iter(turn.extras))} in turn {index + 1}, which {target} have no room for")
    return conversation.turns


def question_and_answer(turns: Sequence[Turn], target: str) -> tuple[str, str]:
    """The texts of one user's and one assistant's turn. Raises Unfit for any other conversation."""
    roles = [turn.role for turn in turns]
    if roles != [USER, ASSISTANT]:
        shown = ", ".join(roles[:6]) + (", …" if len(roles) > 6 else "")
        raise Unfit(f"is a conversation of {shown or 'no turns'}, and {target} hold one user's turn and one answer")
    return turns[0].content, turns[1].content
