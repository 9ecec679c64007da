"""{"instruction", "input", "output"} and perhaps "system": one question, one answer."""

from services.registry.conversion.conversation import (
    ASSISTANT,
    SYSTEM,
    USER,
    Conversation,
    Row,
    Turn,
    other_columns,
    plain_turns,
    question_and_answer,
    whole_row,
)

ROWS = "Alpaca rows"
_OWN = ("instruction", "input", "output", "system")
# What is between an instruction and its input where both become one question. There is no way back: a question that has become
# an instruction keeps all of its text.
_BETWEEN = "\n\n"


def read(row: Row) -> Conversation:
    """An Alpaca row; its input follows its instruction after an empty line."""
    question = _BETWEEN.join(part for part in (row["instruction"], row.get("input")) if part)
    turns = [Turn(USER, question), Turn(ASSISTANT, row["output"])]
    if row.get("system"):
        turns.insert(0, Turn(SYSTEM, row["system"]))
    return Conversation(turns, columns=other_columns(row, _OWN))


def write(conversation: Conversation) -> Row:
    """An Alpaca row; a system prompt has a column of its own. Raises Unfit for more than one question and its answer."""
    turns = plain_turns(conversation, ROWS)
    prompted = bool(turns) and turns[0].role == SYSTEM
    question, answer = question_and_answer(turns[1:] if prompted else turns, ROWS)
    own: Row = {"instruction": question, "input": "", "output": answer}
    if prompted:
        own["system"] = turns[0].content
    return whole_row(conversation, own, ROWS)
