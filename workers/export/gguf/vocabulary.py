"""A tokenizer as a GGUF file holds it: pieces, scores or merges, their types, special tokens and the chat template."""

import json
import re
from typing import Any

import gguf
from transformers import PreTrainedTokenizerBase

from services.chassis.errors import FailedPrecondition

_SPACE = "▁"
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_GENERATION = re.compile(r"\{%(?P<open>[-+]?)\s*(?P<end>end)?generation\s*(?P<close>[-+]?)%\}")
# llama.cpp has the ways to split a text compiled in, under names. These are theirs, by the expression that tokenizer.json has.
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SPLITS = {
    _CONTRACTIONS + r"\p{N}{1,3}" + _REST: "llama-bpe",
    _CONTRACTIONS + r"\p{N}" + _REST: "qwen2",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+": "tekken",
}


def add_vocabulary(writer: gguf.GGUFWriter, tokenizer: PreTrainedTokenizerBase, vocabulary_size: int) -> None:
    """Write down the tokenizer. Raises FailedPrecondition for one that llama.cpp would split texts otherwise with.

    Byte-level BPE is written as `gpt2` with its merges, BPE of SentencePiece as `llama` with scores that give the same merges.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise _refused("it has no tokenizer.json")
    described: dict[str, Any] = json.loads(backend.to_str())
    model = described["model"]
    if model["type"] != "BPE":
        raise _refused(f"it is of type {model['type']}, and only BPE is written")
    merges = [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in model["merges"]]
    tokens, types = _tokens(described, vocabulary_size)
    if _is_byte_level(described):
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(pre_tokenizer(described))
        writer.add_token_merges([" ".join(merge) for merge in merges])
        prefix = any(part.get("add_prefix_space") for part in _parts(described, "pre_tokenizer"))
    else:
        prefix = _check_sentence_piece(described)
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_scores(_scores(tokens, merges))
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_add_space_prefix(prefix)
    _add_special(writer, tokenizer)
    if isinstance(tokenizer.chat_template, str):
        writer.add_chat_template(plain_template(tokenizer.chat_template))


def pre_tokenizer(described: dict[str, Any]) -> str:
    """llama.cpp's name for how a byte-level tokenizer splits a text before it merges."""
    parts = _parts(described, "pre_tokenizer")
    byte_level = next(part for part in parts if part["type"] == "ByteLevel")
    others = [part for part in parts if part is not byte_level]
    if byte_level.get("use_regex", True):
        if not others:
            return "gpt-2"
        if [part["type"] for part in others] == ["Digits"] and others[0]["individual_digits"]:
            return "smollm"
    elif len(others) == 1 and others[0]["type"] == "Split" and others[0]["behavior"] == "Isolated":
        name = _SPLITS.get(others[0]["pattern"].get("Regex", ""))
        if name is not None:
            return name
    raise _refused("it splits texts in a way that llama.cpp has no name for")


def plain_template(template: str) -> str:
    """A chat template without the marks that only training reads; everything around them stays as it is."""

    def plain(found: re.Match[str]) -> str:
        return f"{{%{found['open']} {'endif' if found['end'] else 'if true'} {found['close']}%}}"

    return _GENERATION.sub(plain, template)


def _tokens(described: dict[str, Any], size: int) -> tuple[list[str], list[int]]:
    """Every piece by its number, and what it is. Rows of the embeddings that no piece has are unused."""
    vocabulary: dict[str, int] = described["model"]["vocab"]
    added = {token["id"]: token for token in described["added_tokens"]}
    by_number = {number: piece for piece, number in vocabulary.items()} | {
        number: one["content"] for number, one in added.items()
    }
    if max(by_number) >= size:
        raise _refused(f"it has {max(by_number) + 1} tokens, and the model has embeddings for {size}")
    unknown = described["model"].get("unk_token")
    tokens, types = [], []
    for number in range(size):
        piece = by_number.get(number)
        tokens.append(f"[PAD{number}]" if piece is None else piece)
        types.append(int(_type(piece, added.get(number), unknown)))
    return tokens, types


def _type(piece: str | None, added: dict[str, Any] | None, unknown: str | None) -> gguf.TokenType:
    if piece is None:
        return gguf.TokenType.UNUSED
    if piece == unknown:
        return gguf.TokenType.UNKNOWN
    if added is not None:
        return gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
    return gguf.TokenType.BYTE if _BYTE.fullmatch(piece) else gguf.TokenType.NORMAL


def _scores(tokens: list[str], merges: list[tuple[str, ...]]) -> list[float]:
    """The piece that is merged first has the highest score, which is how SentencePiece writes an order of merges."""
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        ranks.setdefault("".join(merge), rank)
    return [-float(ranks.get(token, len(merges))) for token in tokens]


def _is_byte_level(described: dict[str, Any]) -> bool:
    return any(part["type"] == "ByteLevel" for part in _parts(described, "pre_tokenizer"))


def _check_sentence_piece(described: dict[str, Any]) -> bool:
    """Raise unless spaces become ▁, unknown characters bytes, and nothing else is done; answers whether one is put first."""
    if not described["model"].get("byte_fallback"):
        raise _refused("it is neither byte-level nor does it fall back to bytes")
    normalizers, splitters = _parts(described, "normalizer"), _parts(described, "pre_tokenizer")
    kinds = [part["type"] for part in (*normalizers, *splitters)]
    # Gemma's splits at spaces, of which none are left by then.
    odd = sorted(set(kinds) - {"Prepend", "Replace", "Metaspace", "Split"})
    replaced = all(
        part["content"] == _SPACE and part["pattern"] == {"String": " "} for part in normalizers if part["type"] == "Replace"
    )
    splits = all(part["pattern"] == {"String": " "} for part in splitters if part["type"] == "Split")
    if odd or not replaced or not splits or not {"Replace", "Metaspace"} & set(kinds):
        raise _refused(f"its normalizer or pre-tokenizer ({', '.join(kinds) or 'none'}) is not SentencePiece's")
    schemes = [part.get("prepend_scheme") for part in splitters if part["type"] == "Metaspace"]
    return "Prepend" in kinds or any(scheme in ("always", "first") for scheme in schemes)


def _parts(described: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A sequence's members, or the one there is."""
    part = described.get(name)
    if part is None:
        return []
    members: list[dict[str, Any]] = part.get("pretokenizers") or part.get("normalizers") or [part]
    return members


def _add_special(writer: gguf.GGUFWriter, tokenizer: PreTrainedTokenizerBase) -> None:
    adders = {"bos": writer.add_bos_token_id, "eos": writer.add_eos_token_id, "unk": writer.add_unk_token_id}
    for name, add in (adders | {"pad": writer.add_pad_token_id}).items():
        number = getattr(tokenizer, f"{name}_token_id", None)
        if number is not None:
            add(int(number))
    # What it does, rather than what its files say: a post-processor may add them, too.
    ids = tokenizer("a")["input_ids"]
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    writer.add_add_bos_token(bos is not None and len(ids) > 1 and ids[0] == bos)
    writer.add_add_eos_token(eos is not None and len(ids) > 1 and ids[-1] == eos)


def _refused(why: str) -> FailedPrecondition:
    text = f"the tokenizer can't be written into a GGUF file: {why}; export with format MERGED"
    return FailedPrecondition("GGUF_TOKENIZER", text)
