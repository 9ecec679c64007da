"""A campaign: a stack, its users, what is done to it, and what is known when all is over."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from services.job.domain import MAX_LOST_ATTEMPTS, TERMINAL
from tests.chaos import schedule
from tests.chaos.actor_log import ActorLogs
from tests.chaos.checker import STARTED, History
from tests.chaos.clients import Clients
from tests.chaos.faults import Faults
from tests.chaos.history import Event, JobRecord
from tests.chaos.log import OperationLog
from tests.chaos.prober import Prober
from tests.chaos.reading import Reader
from tests.chaos.schedule import FAILPOINT, PlannedJob, Step
from tests.chaos.stack import Stack
from tests.chaos.variants import HELD_OUT_ROWS, ROWS, configuration, upload

WATCHERS_A_JOB = 2
# Jobs in flight: a queue is always there, and the watchers leave the stack some of the machine.
MOST_IN_FLIGHT = 12
# A look at the jobs must not keep faults from hitting a stack that is still on its knees.
_LOSS_SEEN_WITHIN_S = 8.0
_MERCY_LOOK_S = 1.0
_MERCY_PATIENCE_S = 60.0
# Faults that leave every attempt alone.
_HARMLESS = {"services", "gateway"}


@dataclass(frozen=True)
class Plan:
    """How much of everything."""

    seed: int
    seconds: float
    job_count: int
    steps: Iterator[Step]
    variants: Sequence[str]


class Campaign:
    """One run. Everything happens in one thread."""

    def __init__(self, stack: Stack, plan: Plan, folder: Path) -> None:
        self._stack = stack
        self._plan = plan
        self._folder = folder
        self.log = OperationLog(folder / "operations.jsonl")
        self._clients = Clients(stack.address, self.log, plan.seed)
        self._reader = Reader(self._clients.jobs)
        self._prober = Prober(self._reader, self.log)
        self._actors = ActorLogs(stack.home.ray_folder, self.log)
        self._faults = Faults(stack, self.log, plan.seed)
        self._configurations: dict[str, dict[str, Any]] = {}
        self._variant_of: dict[str, str] = {}
        self._in_flight = asyncio.Semaphore(MOST_IN_FLIGHT)
        self.done: Counter[str] = Counter()
        self._last_harm = -_LOSS_SEEN_WITHIN_S

    async def run(self) -> History:
        """Do all of it; answers what has to be judged. Raises what a harness must not meet, such as a refusal."""
        async with asyncio.TaskGroup() as lookers:
            looking = [lookers.create_task(self._actors.run()), lookers.create_task(self._prober.run())]
            references = await self._references()
            async with asyncio.TaskGroup() as users:
                users.create_task(self._do_faults())
                for planned in schedule.jobs(self._plan.seed, self._plan.job_count, self._plan.seconds, self._plan.variants):
                    users.create_task(self._use(planned))
            self.log.add("seen", "drained", "campaign")
            for task in looking:
                task.cancel()
        history = await self._final(references)
        # For whoever has to find out why something in it is wrong.
        records = [asdict(job) for job in [*history.jobs, *references.values()]]
        (self._folder / "final.json").write_text(json.dumps(records, indent=1))
        await self._clients.close()
        self.log.close()
        return history

    async def _references(self) -> dict[str, JobRecord]:
        """Every variant once, before anything dies."""
        port, seed = self._stack.port, self._plan.seed
        datasets = [
            await asyncio.to_thread(upload, port, "training", ROWS, seed),
            await asyncio.to_thread(upload, port, "validation", HELD_OUT_ROWS, seed + 1),
        ]
        self._configurations = {name: configuration(name, *datasets) for name in self._plan.variants}
        ids = {}
        for variant in self._configurations:
            ids[variant] = await self._create_and_watch(f"reference-{seed}-{variant}", variant)
        jobs = {job.id: job for job in await self._reader.all_jobs()}
        records = {variant: await self._reader.record(jobs[job_id], variant) for variant, job_id in ids.items()}
        for record in records.values():
            assert [event.type for event in record.events].count(STARTED) == 1, "a reference was interrupted"
        return records

    async def _use(self, planned: PlannedJob) -> None:
        """One client's job, from its creation to its end."""
        await asyncio.sleep(planned.at_s)
        async with self._in_flight:
            await self._create_and_watch(planned.request_id, planned.variant, planned)

    async def _create_and_watch(self, request_id: str, variant: str, planned: PlannedJob | None = None) -> str:
        wanted = self._configurations[variant]
        job_id = await self._clients.create(request_id, wanted, f"{request_id}-creator")
        self._variant_of[job_id] = variant
        self._prober.jobs.add(job_id)
        async with asyncio.TaskGroup() as users:
            for number in range(WATCHERS_A_JOB):
                users.create_task(self._clients.watch(job_id, f"{request_id}-watcher-{number}"))
            if planned and planned.is_repeated:
                users.create_task(self._clients.create(request_id, wanted, f"{request_id}-repeater"))
            if planned and planned.pause_s:
                users.create_task(self._clients.pause_and_resume(planned, job_id, f"{request_id}-pauser"))
        self._prober.jobs.discard(job_id)
        return job_id

    async def _do_faults(self) -> None:
        """Faults for the time that was given. A failpoint that nobody came to is armed again a few faults later."""
        end = time.monotonic() + self._plan.seconds
        missed: list[str] = []
        while time.monotonic() < end:
            step = next(self._plan.steps)
            fault = missed.pop(0) if len(missed) > 2 else step.fault
            await asyncio.sleep(min(step.wait_s, max(0.0, end - time.monotonic())))
            if fault not in _HARMLESS:
                await self._have_mercy()
            if await self._faults.do(fault):
                self.done[fault] += 1
                if fault not in _HARMLESS:
                    self._last_harm = time.monotonic()
            elif fault.startswith(FAILPOINT):
                missed.append(fault)
        self.log.add("seen", "faults_over", "faults", done=dict(self.done))

    async def _have_mercy(self) -> None:
        """Wait while a job is on its last attempt: a third loss in a row rightly ends it as failed (I6)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_MERCY_PATIENCE_S):
                while await self._is_one_at_its_last_chance():
                    self.log.add("seen", "mercy", "faults")
                    await asyncio.sleep(_MERCY_LOOK_S)

    async def _is_one_at_its_last_chance(self) -> bool:
        try:
            async with asyncio.timeout(_MERCY_LOOK_S):
                live = [job for job in await self._reader.all_jobs() if job.state not in TERMINAL and job.attempt]
                # What a fault of a moment ago has cost is known once the agent is back.
                unseen = 1 if time.monotonic() - self._last_harm < _LOSS_SEEN_WITHIN_S else 0
                return any([_losses(await self._reader.events(job.id)) + unseen >= MAX_LOST_ATTEMPTS - 1 for job in live])
        except TimeoutError:
            return False

    async def _final(self, references: dict[str, JobRecord]) -> History:
        """The end of it: every list, and every listed artifact downloaded again."""
        jobs = await self._reader.all_jobs()
        for job in jobs:
            await self._prober.look(job.id, again=True)
        self._actors.look()
        records = [await self._reader.record(job, self._variant_of.get(job.id, "")) for job in jobs]
        return History(self.log.entries, records, references)

    def states(self) -> Counter[str]:
        """Where jobs are, for whoever reads why a run did not end."""
        last = {entry.facts["job"]: entry.facts["state"] for entry in self.log.entries if entry.what == "watch"}
        return Counter(last.values())


def figures(history: History, done: Counter[str], seconds: float, seed: int) -> dict[str, object]:
    """What a run came to, in numbers."""
    events = list(chain.from_iterable(job.events for job in history.jobs))
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "jobs": len(history.jobs),
        "kills": {fault: count for fault, count in sorted(done.items()) if not fault.startswith(FAILPOINT)},
        "failpoints": {name.removeprefix(FAILPOINT): count for name, count in sorted(done.items()) if name.startswith(FAILPOINT)},
        "attempts": sum(event.type == STARTED for event in events),
        "lost_attempts": sum("lost its worker" in event.message for event in events),
        "resumed_attempts": sum(event.message.startswith("Going on from step") for event in events),
        "pauses": sum(event.type == "JOB_EVENT_TYPE_PAUSED" for event in events),
        "unanswered_calls": sum(entry.phase == "unknown" for entry in history.log),
        "dropped_or_broken_watches": sum(entry.what in ("dropped", "broken") for entry in history.log),
        "artifacts_verified": sum(entry.what == "download" and entry.phase == "ok" for entry in history.log),
    }


def _losses(events: list[Event]) -> int:
    """Attempts lost in a row without a training state stored, by what the events say."""
    count = 0
    for event in events:
        if "lost its worker" in event.message:
            count += 1
        elif event.type == "JOB_EVENT_TYPE_ARTIFACTS_ADDED" and "training-state" in event.message:
            count = 0
    return count
