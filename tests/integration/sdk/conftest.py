"""What the tests of all SDKs share."""

import re
from pathlib import Path


def first_example(readme: Path, language: str) -> str:
    """The first block of code of a language in a README, as it is written there."""
    found = re.search(rf"^```{language}\n(.*?)^```$", readme.read_text(), re.DOTALL | re.MULTILINE)
    assert found, f"{readme} has no example in {language}"
    return found[1]
