"""Finding an accelerator by what people, clouds and drivers call it."""

import difflib
import re

from services.preflight.devices.spec import AcceleratorSpec
from services.preflight.devices.table import ACCELERATORS

_WORDS_OF_MAKERS = re.compile(r"\b(nvidia|amd|geforce|tesla|instinct|quadro|generation|gpu)\b")
_NO_LETTER_OR_DIGIT = re.compile(r"[^a-z0-9]+")
_CLOSE = 0.6


def find(name: str) -> AcceleratorSpec | None:
    """The accelerator of this name; None if the table has none. A bare `A100` is the 80 GB one, a bare `H100` the SXM one."""
    return _BY_KEY.get(_key(name))


def suggestions(name: str, most: int = 3) -> list[str]:
    """Names in the table that look like this one, the closest first."""
    close = difflib.get_close_matches(_key(name), _BY_KEY, n=4 * most, cutoff=_CLOSE)
    return list(dict.fromkeys(_BY_KEY[key].name for key in close))[:most]


def _key(name: str) -> str:
    return _NO_LETTER_OR_DIGIT.sub("", _WORDS_OF_MAKERS.sub(" ", name.casefold()))


def _keys() -> dict[str, AcceleratorSpec]:
    keys: dict[str, AcceleratorSpec] = {}
    for spec in ACCELERATORS:
        for name in (spec.name, *spec.aliases):
            if keys.setdefault(_key(name), spec) is not spec:
                raise ValueError(f"{name} stands for {spec.name} and for {keys[_key(name)].name}")
    return keys


_BY_KEY = _keys()
