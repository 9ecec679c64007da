"""Processes die, and what was promised holds: I1 to I5, and runs that end as if nothing had happened.

`make test-chaos` runs two minutes of it, `make chaos` the long one. CHAOS_SEED repeats a schedule, CHAOS_SECONDS and CHAOS_JOBS
say how much, CHAOS_RECORD=1 asks for every failpoint and writes the figures down.
"""

import asyncio
import os
import secrets
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import record
from services.chassis.failpoints import FAILPOINTS
from tests.chaos import schedule
from tests.chaos.campaign import Campaign, Plan, figures
from tests.chaos.checker import violations
from tests.chaos.schedule import FAILPOINT
from tests.chaos.stack import Stack
from tests.chaos.variants import VARIANTS

pytestmark = pytest.mark.chaos

SECONDS = float(os.environ.get("CHAOS_SECONDS", "75"))
JOBS = int(os.environ.get("CHAOS_JOBS", "10"))
SEED = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(1_000_000))
IS_LONG = bool(os.environ.get("CHAOS_RECORD"))
# Only a run of at least this size takes the place of the published figures.
IS_WHOLE = SECONDS >= 600 and JOBS >= 100
# A machine that has other things to do as well gets through fewer, but not through none.
FEWEST_FAULTS = 5
# Whatever hangs, the test ends: a job takes seconds once nothing dies any more.
DRAIN_S = 120 + 15 * JOBS


async def test_what_was_promised_holds_when_things_die() -> None:
    folder = Path(tempfile.mkdtemp(prefix="ts-chaos-"))
    print(f"\nCHAOS_SEED={SEED} CHAOS_SECONDS={SECONDS:g} CHAOS_JOBS={JOBS}; log and home: {folder}")
    faults = schedule.steps if IS_LONG else schedule.short_steps
    plan = Plan(SEED, SECONDS, JOBS, faults(SEED, sorted(FAILPOINTS)), VARIANTS if IS_LONG else VARIANTS[:2])
    stack = Stack(folder)
    began = time.monotonic()
    try:
        await asyncio.to_thread(stack.wait_ready)
        campaign = Campaign(stack, plan, folder)
        try:
            async with asyncio.timeout(SECONDS + DRAIN_S):
                history = await campaign.run()
        except TimeoutError:
            pytest.fail(f"not over {DRAIN_S} s after the last fault; jobs: {dict(campaign.states())}; see {folder}")
    finally:
        await asyncio.to_thread(stack.stop)

    told = figures(history, campaign.done, time.monotonic() - began, SEED)
    print(told)
    assert violations(history) == [], f"CHAOS_SEED={SEED}; see {folder}"
    assert len(history.jobs) == JOBS + len(history.references), f"see {folder}"
    # All this would hold as well of a run in which nothing was done.
    assert sum(campaign.done.values()) >= FEWEST_FAULTS, f"too little was done to the stack; see {folder}"
    if IS_LONG:
        assert {name for name in FAILPOINTS if campaign.done[f"{FAILPOINT}{name}"]} == FAILPOINTS, f"see {folder}"
        print(f"written to {_publish(told)}")
    shutil.rmtree(folder)


def _publish(told: dict[str, object]) -> Path:
    setting = record.Setting.of_now()
    time_now = datetime.now(UTC).isoformat(timespec="seconds")
    content = {"name": "chaos", "time": time_now, "commit": setting.commit, "machine": setting.machine, "figures": told}
    return record.write(record.PUBLISHED if IS_WHOLE else record.TRIALS, content)
