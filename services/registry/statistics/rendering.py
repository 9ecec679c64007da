"""The text of a row as training sees it, which is what its length is the length of.

Turns are counted by their contents and a fixed overhead each, because what a chat template puts around them differs by a token or
two between families and is not worth running a template for. Rows without turns are rendered as the local trainer renders them; a
test compares the two.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from tunesmith.registry.v1 import dataset_pb2

from services.registry.conversion.sharegpt import ROLES as SHAREGPT_ROLES
from services.registry.ingest.detect import Format

Row = dict[str, Any]

# What a chat template puts around a turn: ChatML `<|im_start|>` role line feed … `<|im_end|>` line feed, Llama 3
# `<|start_header_id|>` role `<|end_header_id|>` two line feeds … `<|eot_id|>`, Gemma `<start_of_turn>` role line feed …
# `<end_of_turn>` line feed: five tokens each.
TURN_TOKENS = 5
# The token that ends a row without turns.
END_TOKENS = 1
# Raised when rows are rendered or counted in another way: statistics of an earlier version are counted again.
VERSION = 2

ALPACA_PREAMBLE = "Below is an instruction that describes a task. Write a response that appropriately completes the request."
ALPACA_PREAMBLE_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request."
)


class Rendered(NamedTuple):
    """A row as it is trained: its text, and who speaks in it; nobody in a row without turns."""

    text: str
    roles: Sequence[str] = ()
    # Whether a turn says nothing.
    silent_turn: bool = False
    # What it is told to be; None in a row without a label.
    label: str | None = None


def _messages(row: Row) -> Rendered:
    return _turns(row["messages"], "role", "content", row.get("tools"), [])


def _sharegpt(row: Row) -> Rendered:
    prompt = row.get("system")
    before = [prompt] if type(prompt) is str and prompt and row["conversations"][0]["from"] != "system" else []
    text, roles, silent, _ = _turns(row["conversations"], "from", "value", row.get("tools"), before)
    roles = [SHAREGPT_ROLES.get(role, role) for role in roles]
    return Rendered(text, ["system", *roles] if before else roles, silent)


def _turns(turns: Sequence[Row], role: str, content: str, tools: Any, before: list[str]) -> Rendered:
    texts = before + [turn[content] for turn in turns]
    silent = not all(texts)
    if tools:
        texts.append(_json(tools))
    if silent:
        # A turn that only calls a function says it here.
        texts += [_json(turn["tool_calls"]) for turn in turns if turn.get("tool_calls")]
        silent = any(not turn[content] and not turn.get("tool_calls") for turn in turns)
    return Rendered("\n".join(texts), [turn[role] for turn in turns], silent)


def _alpaca(row: Row) -> Rendered:
    context = row.get("input") or ""
    preamble = row.get("system") or (ALPACA_PREAMBLE_WITH_INPUT if context else ALPACA_PREAMBLE)
    middle = f"### Input:\n{context}\n\n" if context else ""
    return Rendered(f"{preamble}\n\n### Instruction:\n{row['instruction']}\n\n{middle}### Response:\n{row['output']}")


def _preference(row: Row) -> Rendered:
    """The prompt with the longer of its answers: the two are trained beside each other."""
    answers = (_said(row["chosen"]), _said(row["rejected"]))
    before = [_said(row.get("prompt")), _said(row.get("conversations"))]
    return Rendered("\n".join(part for part in (*before, max(answers, key=len)) if part))


def _said(value: Any) -> str:
    """The text of a turn, of turns, or of a text."""
    if type(value) is list:
        return "\n".join(map(_said, value))
    if type(value) is dict:
        return str(value.get("content", value.get("value")) or "")
    return value if type(value) is str else ""


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


RENDERERS: Mapping[Format, Callable[[Row], Rendered]] = {
    dataset_pb2.DATASET_FORMAT_MESSAGES: _messages,
    dataset_pb2.DATASET_FORMAT_TEXT: lambda row: Rendered(row["text"]),
    dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION: lambda row: Rendered(row["prompt"] + row["completion"]),
    dataset_pb2.DATASET_FORMAT_ALPACA: _alpaca,
    dataset_pb2.DATASET_FORMAT_SHAREGPT: _sharegpt,
    dataset_pb2.DATASET_FORMAT_PREFERENCE: _preference,
    # The label is told by a head, not written.
    dataset_pb2.DATASET_FORMAT_TEXT_LABEL: lambda row: Rendered(row["text"], label=str(row["label"])),
    dataset_pb2.DATASET_FORMAT_IMAGE_LABEL: lambda row: Rendered(str(row["label"]), label=str(row["label"])),
    dataset_pb2.DATASET_FORMAT_IMAGE_CAPTION: lambda row: Rendered(row["caption"]),
    # Users and items are no text.
    dataset_pb2.DATASET_FORMAT_INTERACTIONS: lambda row: Rendered(""),
}


def overhead_tokens(rendered: Rendered, *, chat_template: bool) -> int:
    """Tokens that training adds to a row's text."""
    if rendered.roles:
        return TURN_TOKENS * len(rendered.roles) if chat_template else 0
    return END_TOKENS if rendered.text else 0
