"""What is done to a stack follows from the seed alone."""

from collections import Counter
from itertools import islice

from services.chassis.failpoints import FAILPOINTS
from tests.chaos import schedule
from tests.chaos.faults import TARGETS
from tests.chaos.schedule import FAILPOINT, KILLS

NAMES = sorted(FAILPOINTS)
ROUND = sum(KILLS.values()) + len(NAMES)


def test_the_same_seed_gives_the_same_faults_and_waits() -> None:
    for make in (schedule.steps, schedule.short_steps):
        first, second, other = (list(islice(make(seed, NAMES), 100)) for seed in (7, 7, 8))
        assert first == second
        assert first != other


def test_the_same_seed_gives_the_same_jobs() -> None:
    first, second, other = (schedule.jobs(seed, 50, 600, ["a", "b"]) for seed in (7, 7, 8))
    assert first == second
    assert first != other
    assert len({job.request_id for job in first}) == 50
    assert [job.at_s for job in first] == sorted(job.at_s for job in first)
    assert {job.variant for job in first} == {"a", "b"}
    assert any(job.pause_s for job in first)
    assert any(job.is_repeated for job in first)


def test_a_round_has_every_failpoint_once_and_every_kill_as_often_as_it_says() -> None:
    faults = Counter(step.fault for step in islice(schedule.steps(3, NAMES), ROUND))
    assert faults == KILLS | {f"{FAILPOINT}{name}": 1 for name in NAMES}


def test_a_short_run_begins_with_one_kill_of_each_kind() -> None:
    kinds = len(KILLS) - 2
    faults = [step.fault for step in islice(schedule.short_steps(3, NAMES), kinds + len(NAMES))]
    kills = [fault for fault in faults if not fault.startswith(FAILPOINT)]
    assert {kill.partition("-")[0] for kill in kills} == {kind.partition("-")[0] for kind in KILLS}
    assert len(kills) == len(set(kills)) == kinds
    assert faults[1].startswith(FAILPOINT)
    assert len(set(faults)) == len(faults)


def test_every_kill_is_known_how_to_do() -> None:
    assert set(KILLS) == {*TARGETS, "everything", "freeze"}
