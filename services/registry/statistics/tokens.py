"""Counts tokens with a model's own tokenizer, read from its tokenizer.json: no torch, no transformers, no code of the model's."""

from collections.abc import Sequence
from pathlib import Path

from services.registry.statistics.sample import TEXT_CHARACTERS

# Texts that are tokenised together, on as many threads as there are cores.
_BATCH_ROWS = 256


class TokenizerUnreadable(Exception):
    """The file is no tokenizer that the library knows; the message says why."""


class TokenCounter:
    """A tokenizer that is asked for lengths only."""

    def __init__(self, path: Path) -> None:
        """Raises TokenizerUnreadable."""
        # Only here: a service that counts nothing need not hold it.
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:
            # The library raises nothing narrower.
            raise TokenizerUnreadable(str(error)) from error
        # A tokenizer.json may ask for both, and then every row would have the same length.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def lengths(self, texts: Sequence[str], *, special_tokens: bool) -> list[int]:
        """Tokens of each text; `special_tokens` counts what the tokenizer puts around a text of its own accord."""
        found: list[int] = []
        for start in range(0, len(texts), _BATCH_ROWS):
            batch = texts[start : start + _BATCH_ROWS]
            cut = [text[:TEXT_CHARACTERS] for text in batch]
            encodings = self._tokenizer.encode_batch_fast(cut, add_special_tokens=special_tokens)
            for text, encoding in zip(batch, encodings, strict=True):
                scale = max(1.0, len(text) / TEXT_CHARACTERS)
                found.append(round(len(encoding) * scale))
        return found
