"""Which of an adapter's files are taken. What is not named here is left where it is: an adapter needs no code and no pickle."""

from collections.abc import Sequence

from services.registry.importing.refused import Refused

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
README = "README.md"
TAKEN = (CONFIG, WEIGHTS, README)
SMALL_FILES = (CONFIG, README)

MAX_SMALL_FILE_BYTES = 1024 * 1024
# Rank 256 on every layer of a model of 70 billion parameters, in 16 bits, has 7 GB.
MAX_WEIGHTS_BYTES = 16 * 1024**3
PICKLE_ENDINGS = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")

NO_ADAPTER = (
    "this is no adapter; give one that was trained with method.type TRAINING_METHOD_LORA, or register a full model with "
    "POST /v1/base-models"
)


def taken(names: Sequence[str]) -> list[str]:
    """The files to take, the configuration first. Raises Refused for an adapter of which nothing may be taken."""
    there = set(names)
    if CONFIG not in there:
        raise Refused(f"it has no {CONFIG}; give what save_pretrained of a PEFT model wrote")
    if WEIGHTS not in there:
        raise _without_weights(names)
    return [name for name in TAKEN if name in there]


def max_bytes(name: str) -> int:
    """How long a file may be."""
    return MAX_WEIGHTS_BYTES if name == WEIGHTS else MAX_SMALL_FILE_BYTES


def is_pickle(name: str) -> bool:
    """Whether a file's name says that loading it would run code."""
    return name.lower().endswith(PICKLE_ENDINGS)


def pickle_refused(name: str) -> Refused:
    """Why a pickle is not taken."""
    return Refused(
        f"{name[:200]} is a pickle, and a pickle is never loaded; load the adapter where you trust it and save it with "
        "save_pretrained(…, safe_serialization=True)"
    )


def _without_weights(names: Sequence[str]) -> Refused:
    pickles = sorted(name for name in names if is_pickle(name))
    if pickles:
        return pickle_refused(pickles[0])
    return Refused(f"it has no {WEIGHTS}; give what save_pretrained of a PEFT model wrote")
