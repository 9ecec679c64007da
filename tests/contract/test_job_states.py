"""The diagram in JobState's comment, which people read, and the transitions in the code, which decide, are the same."""

import re
from collections import defaultdict

from tunesmith.job.v1.job_state_pb2 import JobState

from services.job.domain import TERMINAL, TRANSITIONS
from tests.contract.image import enum_comment, own_files

COMMENT = enum_comment(own_files()["tunesmith/job/v1/job_state.proto"], "JobState")
ARROW = re.compile(r"^\s*([A-Z]+) -> ([A-Z]+)\b", re.MULTILINE)
TRANSITION_COUNT = 14


def test_the_diagram_and_the_code_agree() -> None:
    drawn: dict[int, set[int]] = defaultdict(set)
    arrows = ARROW.findall(COMMENT)
    assert len(arrows) == TRANSITION_COUNT
    for before, after in arrows:
        drawn[_state(before)].add(_state(after))
    assert drawn == {state: set(following) for state, following in TRANSITIONS.items() if following}


def test_the_comment_names_the_terminal_states() -> None:
    named = re.search(r"^ *([A-Z, and]+) are terminal", COMMENT, re.MULTILINE)
    assert named is not None
    assert {_state(name) for name in re.findall(r"[A-Z]{2,}", named[1])} == set(TERMINAL)


def test_every_state_has_its_transitions() -> None:
    assert set(TRANSITIONS) == {number for number in JobState.values() if number != 0}


def _state(name: str) -> int:
    return int(JobState.Value(f"JOB_STATE_{name}"))
