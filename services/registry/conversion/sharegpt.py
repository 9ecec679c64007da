"""{"conversations": [{"from", "value"}, …]}, perhaps with "system" and "tools" beside it."""

from typing import Any

import orjson

from services.registry.conversion.conversation import (
    ASSISTANT,
    SYSTEM,
    TOOL,
    TOOL_CALLS,
    USER,
    Conversation,
    Row,
    Turn,
    Unfit,
    other_columns,
    whole_row,
)
from services.registry.ingest.rows import quoted

ROWS = "ShareGPT rows"
_COLUMN, _SYSTEM, _TOOLS = "conversations", "system", "tools"
_KEYS = ("from", "value")
_CALL = "function_call"

ROLES = {
    "system": SYSTEM,
    "human": USER,
    "user": USER,
    "gpt": ASSISTANT,
    "assistant": ASSISTANT,
    "tool": TOOL,
    "observation": TOOL,
    "function": TOOL,
    _CALL: ASSISTANT,
}
_SPEAKERS = {SYSTEM: "system", USER: "human", ASSISTANT: "gpt", TOOL: "tool"}


def read(row: Row) -> Conversation:
    """A ShareGPT row. A column `system` is its first turn unless there is one. Raises Unfit for what a turn has besides."""
    turns = [_turn(index, turn) for index, turn in enumerate(row[_COLUMN])]
    columns = other_columns(row, (_COLUMN, _SYSTEM, _TOOLS))
    prompt = row.get(_SYSTEM)
    if prompt:
        if type(prompt) is not str:
            raise Unfit("has a column system that is not text")
        if turns[0].role == SYSTEM:
            raise Unfit("has a system prompt in a column and another one as its first turn; keep one of them")
        turns.insert(0, Turn(SYSTEM, prompt))
    return Conversation(turns, _tools(row.get(_TOOLS)), columns)


def write(conversation: Conversation) -> Row:
    """A ShareGPT row. Raises Unfit for names, ids of calls, and calls that stand beside a text."""
    turns = [_written(index, turn) for index, turn in enumerate(conversation.turns)]
    own: Row = {_COLUMN: turns}
    if conversation.tools:
        own[_TOOLS] = conversation.tools
    return whole_row(conversation, own, ROWS)


def _turn(index: int, turn: dict[str, Any]) -> Turn:
    for name, value in turn.items():
        if name not in _KEYS and value is not None:
            raise Unfit(f"has {quoted(name)} in turn {index + 1}, which says nothing about a conversation; remove it")
    speaker, value = turn["from"], turn["value"]
    if speaker == _CALL:
        return Turn(ASSISTANT, "", {TOOL_CALLS: [{"type": "function", "function": _call(index, value)}]})
    return Turn(ROLES[speaker], value)


def _call(index: int, value: str) -> dict[str, Any]:
    """A call as chat templates read it, out of the JSON that is its turn's value."""
    try:
        call = orjson.loads(value)
    except orjson.JSONDecodeError:
        call = None
    if type(call) is not dict or set(call) != {"name", "arguments"} or type(call["name"]) is not str:
        raise Unfit(f'has a {_CALL} in turn {index + 1} whose value is not {{"name", "arguments"}} in JSON; correct it')
    return call


def _tools(tools: Any) -> list[Any]:
    """A list, or the JSON of one, as both are about."""
    if type(tools) is str and tools.strip():
        try:
            tools = orjson.loads(tools)
        except orjson.JSONDecodeError:
            raise Unfit("has a column tools that is not JSON; correct it") from None
    if not tools:
        return []
    if type(tools) is not list:
        raise Unfit("has a column tools that is not a list; correct it")
    return tools


def _written(index: int, turn: Turn) -> dict[str, str]:
    calls = turn.extras.get(TOOL_CALLS)
    if calls and turn.role == ASSISTANT and len(turn.extras) == 1:
        return {"from": _CALL, "value": _call_value(index, turn, calls)}
    if turn.extras:
        raise Unfit(f"has {next(iter(turn.extras))} in turn {index + 1}, which {ROWS} have no room for")
    return {"from": _SPEAKERS[turn.role], "value": turn.content}


def _call_value(index: int, turn: Turn, calls: Any) -> str:
    if turn.content or type(calls) is not list or len(calls) != 1:
        raise Unfit(f"has tool_calls in turn {index + 1} beside a text or beside each other, and {ROWS} hold one call a turn")
    call = calls[0]
    function = call.get("function") if type(call) is dict else None
    if type(function) is not dict or set(function) != {"name", "arguments"} or set(call) - {"type", "function"}:
        raise Unfit(f"has a call in turn {index + 1} with more than a name and arguments, such as an id, and {ROWS} hold no more")
    return orjson.dumps({"name": function["name"], "arguments": function["arguments"]}).decode()
