"""{"prompt", "completion"}: one question, one answer, nothing else."""

from services.registry.conversion.conversation import (
    ASSISTANT,
    SYSTEM,
    USER,
    Conversation,
    Row,
    Turn,
    Unfit,
    other_columns,
    plain_turns,
    question_and_answer,
    whole_row,
)

ROWS = "prompt and completion rows"
_OWN = ("prompt", "completion")


def read(row: Row) -> Conversation:
    """A prompt with its completion."""
    return Conversation([Turn(USER, row["prompt"]), Turn(ASSISTANT, row["completion"])], columns=other_columns(row, _OWN))


def write(conversation: Conversation) -> Row:
    """A prompt with its completion. Raises Unfit for a system prompt and for more than one question and its answer."""
    turns = plain_turns(conversation, ROWS)
    if turns and turns[0].role == SYSTEM:
        raise Unfit(f"has a system prompt, which {ROWS} have no room for")
    prompt, completion = question_and_answer(turns, ROWS)
    return whole_row(conversation, {"prompt": prompt, "completion": completion}, ROWS)
