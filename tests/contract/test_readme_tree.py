"""The tree in README.md, by which newcomers find their way, is the tree that is there."""

import subprocess
from pathlib import Path

import pytest

from tests.contract.readme_tree import missing, tree_block, tree_paths

ROOT = Path(__file__).parents[2]


def test_what_the_tree_names_is_there() -> None:
    paths = list(tree_paths(tree_block((ROOT / "README.md").read_text())))
    assert len(paths) >= 20
    assert [path for path in paths if missing(path, ROOT)] == []


def test_every_folder_at_the_top_is_named() -> None:
    named = {path.partition("/")[0] for path in tree_paths(tree_block((ROOT / "README.md").read_text()))}
    tracked = _tracked_folders()
    assert len(tracked) >= 5
    assert tracked - named == set()


INDENTED = """\
# a remark
protos/              the contract
  tunesmith/{job,pool}/v1/*.proto    one noun a folder
services/            what decides
  job/
    rpc.py           # answers
Makefile
"""
DRAWN = """\
./
├── protos/
│   └── tunesmith/{job,pool}/v1/*.proto    one noun a folder
├── services/
│   └── job/
│       └── rpc.py
└── Makefile
"""


@pytest.mark.parametrize("block", [INDENTED, DRAWN], ids=["indented", "drawn"])
def test_both_ways_to_draw_a_tree_are_read(block: str) -> None:
    assert [path for path in tree_paths(block) if path != "./"] == [
        *("protos/", "protos/tunesmith/job/v1/*.proto", "protos/tunesmith/pool/v1/*.proto"),
        *("services/", "services/job/", "services/job/rpc.py", "Makefile"),
    ]


def test_a_file_that_is_gone_and_a_folder_that_is_a_file_are_missing(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    assert not missing("there", tmp_path)
    assert not missing("th*", tmp_path)
    assert missing("there/", tmp_path)
    assert missing("gone", tmp_path)
    assert missing("gone/*.py", tmp_path)


def _tracked_folders() -> set[str]:
    run = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        pytest.skip(f"not a git checkout: {run.stderr.strip()}")
    return {path.partition("/")[0] for path in run.stdout.splitlines() if "/" in path}
