"""A small tokenizer, trained as the published ones are."""

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

WORDS = ["the quick brown fox jumps over the lazy dog", "instruction response output", "größe straße 中文"]


def write_tokenizer(path: Path) -> Tokenizer:
    """A byte-level BPE with a mark at the beginning of a text, and a padding and a limit that no count may obey."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<s>"], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(WORDS * 20, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer.save(str(path))
    limited = Tokenizer.from_file(str(path))
    limited.enable_truncation(max_length=8)
    limited.enable_padding(length=8)
    limited.save(str(path))
    return tokenizer
