"""What is done to the stack, and when: all of it follows from the seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# How often each kind of fault comes in a round.
KILLS = {
    "services": 3,
    "gateway": 2,
    "agent": 2,
    "actor": 3,
    "ray-gcs": 1,
    "ray-raylet": 1,
    "ray-start": 1,
    "everything": 1,
    "freeze": 1,
}
FAILPOINT = "failpoint:"
# Some faults come while the one before is still being mended.
HASTE = 0.2
HASTY_S = (0.1, 1.5)
CALM_S = (3.0, 11.0)
# Jobs are created until so much of the time is over, so that the last ones meet faults too.
CREATING_SHARE = 0.9
PAUSED_SHARE = 0.15
REPEATED_SHARE = 0.2


@dataclass(frozen=True)
class Step:
    """Wait, then do something: a kind of kill, or `failpoint:` and its name."""

    wait_s: float
    fault: str


@dataclass(frozen=True)
class PlannedJob:
    """One client's job. Times are seconds since the faults begin, or since the job was created."""

    request_id: str
    at_s: float
    variant: str
    # (pause after, resume after that); None: nobody pauses it.
    pause_s: tuple[float, float] | None
    # Whether the create is sent again after it was acknowledged.
    is_repeated: bool


def steps(seed: int, failpoints: Sequence[str]) -> Iterator[Step]:
    """Rounds without end: every failpoint once a round and every kill as often as KILLS says, shuffled."""
    chance = random.Random(f"{seed}-faults")
    while True:
        faults = [kind for kind, times in KILLS.items() for _ in range(times)] + _named(failpoints)
        chance.shuffle(faults)
        yield from _timed(chance, faults)


def short_steps(seed: int, failpoints: Sequence[str]) -> Iterator[Step]:
    """One round of one kill of each kind first, for a run that is too short for more; then as `steps`."""
    chance = random.Random(f"{seed}-first")
    kills, named = list(KILLS), _named(failpoints)
    # One way of ending Ray's head is enough; the whole stack comes back in about the time that Ray does.
    kills = [kind for kind in kills if not kind.startswith("ray-")] + [chance.choice(("ray-gcs", "ray-raylet", "ray-start"))]
    chance.shuffle(kills)
    chance.shuffle(named)
    mixed = [fault for pair in zip(kills, named, strict=False) for fault in pair]
    yield from _timed(chance, mixed + kills[len(named) :] + named[len(kills) :], calm_s=(1.0, 4.0))
    yield from steps(seed, failpoints)


def jobs(seed: int, count: int, seconds: float, variants: Sequence[str]) -> list[PlannedJob]:
    """The clients' plan, in the order of time."""
    chance = random.Random(f"{seed}-jobs")
    times = sorted(chance.uniform(0, CREATING_SHARE * seconds) for _ in range(count))
    return [
        PlannedJob(
            request_id=f"chaos-{seed}-{number}",
            at_s=at_s,
            variant=chance.choice(variants),
            pause_s=(chance.uniform(0, 8), chance.uniform(0.5, 5)) if chance.random() < PAUSED_SHARE else None,
            is_repeated=chance.random() < REPEATED_SHARE,
        )
        for number, at_s in enumerate(times)
    ]


def _named(failpoints: Sequence[str]) -> list[str]:
    return [f"{FAILPOINT}{name}" for name in sorted(failpoints)]


def _timed(chance: random.Random, faults: Sequence[str], calm_s: tuple[float, float] = CALM_S) -> Iterator[Step]:
    for fault in faults:
        yield Step(chance.uniform(*(HASTY_S if chance.random() < HASTE else calm_s)), fault)
