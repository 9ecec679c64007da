"""Ids and hashes that the server makes."""

import hashlib
import re

import uuid_utils
from google.protobuf.message import Message

_ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def new_id() -> str:
    """A UUIDv7: unique, and ordered by the time it was made."""
    return str(uuid_utils.uuid7())


def is_id(text: str) -> bool:
    """Whether a text has the form of an id, and so may stand in a path on disk."""
    return _ID.fullmatch(text) is not None


def message_hash(message: Message) -> str:
    """SHA-256 of a message, equal for equal messages of one schema."""
    return hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()
