"""Tokens by the length of a text: one every four bytes, which is what English costs in today's vocabularies."""

BYTES_A_TOKEN = 4


def estimated_tokens(byte_count: int) -> int:
    """Tokens of a text of so many bytes of UTF-8, at least one if there is any."""
    return -(-byte_count // BYTES_A_TOKEN)
