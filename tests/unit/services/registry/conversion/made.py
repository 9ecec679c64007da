"""Conversations drawn by a seed: every shape a row may have, and texts that are made to break what reads them."""

import random
from collections.abc import Callable, Iterator
from typing import Any

Row = dict[str, Any]
Draw = Callable[[random.Random], Row]

CASES = 400
TEXTS = (
    "",
    "plain",
    "two\nlines",
    "  spaces around  ",
    "\n",
    "ä é 中文 🙂 \u2028",
    '{"json": [1, 2]}',
    "### Response:\n",
    "<|im_start|",
    "system\n",
    "a\x00b",
    'quote " and \\ backslash',
    "\ufeffmark",
)
_TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


def rows(draw: Draw, seed: int = 20261121) -> Iterator[Row]:
    """Rows of one kind; the same ones each time."""
    generator = random.Random(seed)
    return (draw(generator) for _ in range(CASES))


def text(generator: random.Random) -> str:
    parts = generator.choices(TEXTS, k=generator.randint(1, 3))
    return "".join(parts)


def some_text(generator: random.Random) -> str:
    return text(generator) or "x"


def plain_turns(generator: random.Random) -> list[Row]:
    """Roles and texts in any order, with an answer among them."""
    roles = generator.choices(["system", "user", "assistant", "tool"], k=generator.randint(0, 5))
    roles.insert(generator.randint(0, len(roles)), "assistant")
    return [{"role": role, "content": text(generator)} for role in roles]


def plain_messages(generator: random.Random) -> Row:
    return {"messages": plain_turns(generator), **_others(generator)}


def messages(generator: random.Random) -> Row:
    """With everything that a message may carry."""
    row = plain_messages(generator)
    for turn in row["messages"]:
        if generator.random() < 0.2:
            turn["name"] = "me"
        if turn["role"] == "assistant" and generator.random() < 0.3:
            turn["tool_calls"] = [{"type": "function", "function": {"name": "weather", "arguments": {"city": text(generator)}}}]
    return row | ({"tools": _TOOLS} if generator.random() < 0.3 else {})


def calling_messages(generator: random.Random) -> Row:
    """With calls as ShareGPT can hold them: one a turn, without a text beside it."""
    row = plain_messages(generator)
    call = {"type": "function", "function": {"name": "weather", "arguments": {"city": text(generator), "days": [1, None]}}}
    row["messages"].insert(1, {"role": "assistant", "content": "", "tool_calls": [call]})
    return row | ({"tools": _TOOLS} if generator.random() < 0.5 else {})


def question_and_answer(generator: random.Random) -> Row:
    turns = [{"role": "user", "content": some_text(generator)}, {"role": "assistant", "content": text(generator)}]
    return {"messages": turns, **_others(generator)}


def prompted_question_and_answer(generator: random.Random) -> Row:
    row = question_and_answer(generator)
    row["messages"].insert(0, {"role": "system", "content": some_text(generator)})
    return row


def _others(generator: random.Random) -> Row:
    """Columns that are no part of a conversation."""
    return {"id": generator.randint(0, 9), "source": {"from": "here"}} if generator.random() < 0.3 else {}
