"""Engines that are not installed with Tunesmith: which a pool may be given, and what each wants in its environment."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from workers.providers.provider import JobConfiguration

SETTING = "TUNESMITH_ENGINES"


@dataclass(frozen=True)
class Engine:
    """An engine in an environment of its own, which Ray makes at its first job and keeps."""

    provider: str
    # As `uv pip install` takes them; pinned, because the translation is written for one version.
    packages: tuple[str, ...]
    # Whether it runs without a GPU at all.
    needs_gpu: bool


ENGINES: dict[str, Engine] = {
    engine.provider: engine
    for engine in (
        Engine("axolotl", ("axolotl==0.19.0",), needs_gpu=True),
        Engine("unsloth", ("unsloth==2026.10.9",), needs_gpu=True),
    )
}


def wanted(provider: str) -> str:
    """What makes a pool take an engine's jobs, as the end of a sentence."""
    where = "on a machine with a GPU" if ENGINES[provider].needs_gpu else "on a machine"
    return f"start an agent with {SETTING}={provider} {where}, or use provider local"


def settings_of(provider: str) -> Callable[[JobConfiguration], Iterable[str]]:
    """Whose settings there are in `metadata`, as suffixes of its path; of the provider's own each."""

    def suffixes(configuration: JobConfiguration) -> Iterator[str]:
        for key, value in configuration.metadata.fields.items():
            own = value.struct_value.fields if key == provider else {}
            yield from (f".{key}.{inner}" for inner in own)
            if not own:
                yield f".{key}"

    return suffixes
