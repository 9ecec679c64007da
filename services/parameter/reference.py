"""`python -m services.parameter.reference [FILE]`: the page of every knob, computed from the descriptors without a server."""

import sys
from pathlib import Path

from tunesmith.reference import page

from services.parameter.usecases import parameters

OUT = Path(__file__).parents[2] / ".build" / "docs" / "parameters.md"


def main() -> None:
    """Write the page."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(parameters()), encoding="utf-8")


if __name__ == "__main__":
    main()
