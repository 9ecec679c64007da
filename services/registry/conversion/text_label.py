"""{"text", "label"}: a question whose answer is the label. One way only: an answer is no label of a few."""

from services.registry.conversion.conversation import ASSISTANT, USER, Conversation, Row, Turn, other_columns

_OWN = ("text", "label")


def read(row: Row) -> Conversation:
    """A text with its label as the answer."""
    return Conversation([Turn(USER, row["text"]), Turn(ASSISTANT, str(row["label"]))], columns=other_columns(row, _OWN))
