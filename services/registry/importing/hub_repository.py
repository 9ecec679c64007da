"""What the hub says of a model's repository."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.registry.importing.files import MAX_SMALL_FILE_BYTES, SMALL_FILES, WEIGHTS
from services.registry.importing.license import MAX_LICENSE_CHARACTERS

_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
_COMMIT = re.compile(r"[0-9A-Za-z][0-9A-Za-z._\-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LICENSE_TAG = "license:"
_UNLISTED = "other"


@dataclass(frozen=True)
class HubFile:
    """One file as the hub lists it."""

    # None if the hub does not say.
    size_bytes: int | None
    # Of large files only.
    sha256: str | None


@dataclass(frozen=True)
class HubRepository:
    """A repository at one commit. Files inside folders are left out: no model needs them."""

    repo: str
    commit: str
    files: Mapping[str, HubFile]
    # Whether only who has a token sees it, or is given its files.
    is_private: bool
    license: str

    @property
    def names(self) -> Sequence[str]:
        return sorted(self.files)

    @property
    def download_bytes(self) -> int | None:
        """Bytes of what would be taken; None if the hub does not say."""
        sizes = [self.files[name].size_bytes for name in self._taken()]
        known = [size for size in sizes if size is not None]
        return sum(known) if known and len(known) == len(sizes) else None

    def _taken(self) -> Sequence[str]:
        weights = [WEIGHTS] if WEIGHTS in self.files else [name for name in self.files if _SHARD.fullmatch(name)]
        return [*(name for name in SMALL_FILES if name in self.files), *weights]

    @classmethod
    def parse(cls, repo: str, data: bytes) -> "HubRepository | None":
        """An answer of the hub; None for anything else."""
        try:
            answer = orjson.loads(data)
            commit = answer["sha"]
            files = {entry["rfilename"]: _file(entry) for entry in answer["siblings"] if "/" not in entry["rfilename"]}
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None
        if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
            return None
        return cls(repo, commit, files, bool(answer.get("private")) or bool(answer.get("gated")), _license(answer))


def _file(entry: Mapping[str, Any]) -> HubFile:
    large = entry.get("lfs")
    sha256 = large.get("sha256") if isinstance(large, dict) else None
    size = entry.get("size")
    is_size = type(size) is int and size >= 0 and (entry["rfilename"] not in SMALL_FILES or size <= MAX_SMALL_FILE_BYTES)
    return HubFile(size if is_size else None, sha256 if isinstance(sha256, str) and _SHA256.fullmatch(sha256) else None)


def _license(answer: Mapping[str, Any]) -> str:
    card = answer.get("cardData")
    name = card.get("license") if isinstance(card, dict) else None
    if name == _UNLISTED and isinstance(card, dict):
        name = card.get("license_name", name)
    if not isinstance(name, str):
        tags = answer.get("tags")
        tagged = (str(tag) for tag in (tags if isinstance(tags, list) else ()))
        name = next((tag.removeprefix(_LICENSE_TAG) for tag in tagged if tag.startswith(_LICENSE_TAG)), "")
    return name[:MAX_LICENSE_CHARACTERS]
