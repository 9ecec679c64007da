"""The page of every knob, offline and of a server."""

import subprocess
import sys
from pathlib import Path

from tunesmith import reference

from services.parameter.usecases import parameters


def test_every_knob_is_on_the_page_with_what_is_known_of_it() -> None:
    text = reference.page(parameters())
    assert len(parameters()) >= 40
    for knob in parameters():
        begin = text.index(f"\n`{knob.field_path}`")
        said = text[begin : text.find("\n### ", begin) if "\n### " in text[begin:] else None]
        assert " ".join(knob.help.split()) in said
        assert all(f"`{choice.value}`" in said for choice in knob.choices)
        assert reference.bounds(knob) in said
        assert reference.recommended(knob) in said
        assert reference.default(knob) in said
        assert knob.unit in said
    sections = {knob.field_path.rpartition(".")[0] for knob in parameters()}
    assert {line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")} == sections


def test_a_knob() -> None:
    (epochs,) = (knob for knob in parameters() if knob.field_path == "schedule.epochs")
    text = reference.page([epochs])
    assert "## schedule\n\n### Epochs\n\n`schedule.epochs`\n" in text
    assert "- range: 1 to 20 epochs\n" in text


def test_the_program_writes_the_page_without_a_server(tmp_path: Path) -> None:
    file = tmp_path / "docs" / "parameters.md"
    subprocess.run([sys.executable, "-m", "services.parameter.reference", str(file)], check=True)
    assert file.read_text() == reference.page(parameters())
