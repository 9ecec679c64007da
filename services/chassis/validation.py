"""The rules of the protos, applied to every request."""

from google.protobuf.message import Message
from tunesmith.client.validation import violations_of

from services.chassis.errors import InvalidArgument


def check(message: Message, prefix: str = "") -> None:
    """Raise InvalidArgument with every violation of a message, each with its field path and its rule's id."""
    found = violations_of(message, prefix)
    if found:
        raise InvalidArgument([(one.field, one.description) for one in found], [one.reason for one in found])
