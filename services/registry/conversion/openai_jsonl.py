"""Messages as OpenAI's fine-tuning takes them: known keys only, calls with ids, and the last word is the assistant's.

What OpenAI publishes as FineTuneChatRequestInput: https://platform.openai.com/docs/api-reference/fine-tuning/chat-input
"""

import re
from collections import deque
from typing import Any

import orjson

from services.registry.conversion.conversation import (
    ASSISTANT,
    NAME,
    TOOL,
    TOOL_CALL_ID,
    TOOL_CALLS,
    WEIGHT,
    Conversation,
    Row,
    Turn,
    Unfit,
)
from services.registry.ingest.rows import quoted

ROWS = "OpenAI's rows"
_KNOWN = {
    "system": {NAME},
    "user": {NAME},
    "assistant": {NAME, TOOL_CALLS, WEIGHT},
    "tool": {TOOL_CALL_ID},
}
_PARALLEL = "parallel_tool_calls"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def write(conversation: Conversation) -> Row:
    """A row that OpenAI takes. Calls without an id get one, and so do the answers that follow them. Raises Unfit."""
    unknown = next((name for name in conversation.columns if name != _PARALLEL), None)
    if unknown is not None:
        raise Unfit(f"has a column {quoted(unknown)}, and {ROWS} hold messages and tools only; remove it")
    if not conversation.turns or conversation.turns[-1].role != ASSISTANT:
        raise Unfit(f"does not end with the assistant's turn, and {ROWS} do")
    open_calls: deque[str] = deque()
    messages = [_message(index, turn, open_calls) for index, turn in enumerate(conversation.turns)]
    row: Row = {"messages": messages}
    if conversation.tools:
        row["tools"] = conversation.tools
    return {**row, **conversation.columns}


def _message(index: int, turn: Turn, open_calls: deque[str]) -> dict[str, Any]:
    unknown = next((name for name in turn.extras if name not in _KNOWN[turn.role]), None)
    if unknown is not None:
        raise Unfit(f"has {quoted(unknown)} in turn {index + 1}, which {ROWS} have no room for in a turn of the {turn.role}")
    message: dict[str, Any] = {"role": turn.role, "content": turn.content, **turn.extras}
    name = message.get(NAME)
    if name is not None and not (type(name) is str and _NAME.fullmatch(name)):
        raise Unfit(f"has a name in turn {index + 1} that is not 1 to 64 letters, digits, _ or -")
    if message.get(WEIGHT, 0) not in (0, 1):
        raise Unfit(f"has a weight in turn {index + 1} that is neither 0 nor 1")
    if TOOL_CALLS in message:
        message[TOOL_CALLS] = _calls(index, message[TOOL_CALLS])
        open_calls.clear()
        open_calls.extend(call["id"] for call in message[TOOL_CALLS])
    elif turn.role == TOOL:
        message[TOOL_CALL_ID] = _answered(index, message.get(TOOL_CALL_ID), open_calls)
    return message


def _calls(index: int, calls: Any) -> list[dict[str, Any]]:
    if type(calls) is not list or not calls:
        raise Unfit(f"has tool_calls in turn {index + 1} that are not a list of calls")
    return [_call(index, number, call) for number, call in enumerate(calls)]


def _call(index: int, number: int, call: Any) -> dict[str, Any]:
    function = call.get("function") if type(call) is dict else None
    if type(function) is not dict or type(function.get("name")) is not str or "arguments" not in function:
        raise Unfit(f"has a call in turn {index + 1} without a function's name and arguments")
    arguments = function["arguments"]
    # Chat templates of Hugging Face read an object here, OpenAI the JSON of one.
    text = arguments if type(arguments) is str else orjson.dumps(arguments).decode()
    identity = call.get("id") or f"call_{index}_{number}"
    return {"id": identity, "type": "function", "function": {"name": function["name"], "arguments": text}}


def _answered(index: int, identity: Any, open_calls: deque[str]) -> str:
    """The id of the call that a tool's turn answers: the one it names, or the first that waits."""
    if not open_calls or (identity is not None and identity not in open_calls):
        raise Unfit(f"has a tool's answer in turn {index + 1} to no call before it")
    if identity is None:
        return open_calls.popleft()
    open_calls.remove(identity)
    return str(identity)
