"""One of the pool's slots: keeps a training actor warm, asks for a job, has it run, and gives it back if the actor dies."""

import threading
import time
from collections.abc import Callable

import structlog
from google.rpc import code_pb2
from tunesmith.pool.v1 import pool_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from workers.crew import Actor, ActorLost, ClusterLost, Crew, Place, Runner, Warm
from workers.door import Door, DoorError, LeaseLost, Refused, backoff_s, persistently
from workers.providers.asked import needs_for
from workers.providers.needs import processes_on
from workers.registration import Registration
from workers.roster import Roster

LEASE_WAIT_S = 25.0
# Where what is offered changes with what the neighbours do, a slot asks often.
SHORT_LEASE_WAIT_S = 5.0
# A slot whose place is wanted ends its question first, and its actor then.
VACATE_S = 4 * SHORT_LEASE_WAIT_S
# How often an idle actor is asked whether it is there.
PING_S = 2.0
LOOK_S = 0.5
# How often a slot with work looks whether the cluster is still there.
CHECK_S = 10.0
SLOW_START_S = 60.0
# A pool that nobody has wanted anything of for so long finds out how fast it is, a moment each time it looks around: a job that
# comes meanwhile waits for one such moment and no longer.
IDLE_BEFORE_PROBE_S = 2.0
PROBE_S = 0.15
# An actor that holds so much more than when it was new is replaced: what one job left behind is not the next one's.
MAX_GROWTH_BYTES = 300 * 1024 * 1024
# A refusal is a bug or a misconfiguration: worth asking again, in case somebody mends it, but not often.
AFTER_REFUSAL_S = 5.0
# Failures that lie in what was asked for. After any other one the process may be sick, a GPU's memory most of all.
HARMLESS_CODES = {
    code_pb2.INVALID_ARGUMENT,
    code_pb2.NOT_FOUND,
    code_pb2.FAILED_PRECONDITION,
    code_pb2.UNAVAILABLE,
    code_pb2.DATA_LOSS,
}
# A last word must not hold up an agent that stops.
FAREWELL_TIMEOUT_S = 1.0
LONGEST_REASON_CHARACTERS = 4000

log = structlog.get_logger()


class AgentStopping(Exception):
    """Somebody told the agent to stop."""


class _Vacate(Exception):
    """A job on several GPUs wants the place, or another slot waits there: the actor goes."""


class Slot:
    """One job at a time at one place, until `stop` is set. `open_another` starts a slot beside this one on what is left of a GPU.

    Ends by itself when another slot waits at the same place.
    """

    def __init__(
        self,
        door: Door,
        crew: Crew,
        place: Place,
        roster: Roster,
        registration: Registration,
        stop: threading.Event,
        open_another: Callable[[Place], None],
    ) -> None:
        self._door = door
        self._crew = crew
        self._place = place
        self._roster = roster
        self._registration = registration
        self._stop = stop
        self._open_another = open_another
        self._waiting = False
        self._pinged_s = -PING_S
        self._checked_s = time.monotonic()
        self._idle_since_s = 0.0

    def run(self) -> None:
        """Lease and work until told to stop, or until not needed. Raises ClusterLost."""
        failures = 0
        try:
            while self._begin_to_wait():
                try:
                    self._serve_with(self._crew.hire(self._place))
                    failures = 0
                except _Vacate:
                    failures = 0
                except ActorLost as lost:
                    failures += 1
                    log.warning("actor_lost", place=self._place.number, reason=str(lost))
                    self._pause(backoff_s(failures))
                finally:
                    self._wait_no_more()
        except AgentStopping:
            log.info("agent_stopping", place=self._place.number)

    def _begin_to_wait(self) -> bool:
        """Whether this slot waits for a job here; it first lets a job on several GPUs have the place."""
        if self._roster.is_claimed(self._place):
            self._crew.vacate(self._place)
            self._roster.vacate(self._place)
            while not self._roster.wait_given_back(self._place, LOOK_S):
                self._stop_if_told()
                self._refresh_and_check_sometimes()
        self._stop_if_told()
        self._waiting = self._roster.wait(self._place)
        return self._waiting

    def _wait_no_more(self) -> None:
        if self._waiting:
            self._waiting = False
            self._roster.leave(self._place)

    def _serve_with(self, actor: Actor) -> None:
        """Have one actor run jobs until it is no longer as good as new."""
        try:
            warm = self._warm_up(actor)
            while self._run_job(actor, self._next_assignment(actor), warm):
                if not self._roster.wait(self._place):
                    return
                self._waiting = True
        finally:
            actor.dismiss()

    def _warm_up(self, actor: Actor) -> Warm:
        if not self._roster.has_jobs(self._place):
            self._registration.cool(self._place)
        began_s = told_s = time.monotonic()
        while (warm := actor.wait_warm(LOOK_S)) is None:
            self._stop_if_told()
            self._refresh_and_check_sometimes()
            if time.monotonic() - told_s >= SLOW_START_S:
                told_s = time.monotonic()
                hint = "something else holds this machine's CPUs or GPUs in Ray, or its disk is slow; see `ray status`"
                log.warning("actor_not_ready_yet", seconds=round(told_s - began_s), hint=hint)
        self._roster.know(self._place, _device_of(self._place, warm))
        self._registration.warm(self._place, warm.devices)
        mib = warm.held_bytes // 1024**2
        names = [one.name for one in warm.devices]
        log.info("actor_ready", place=self._place.number, seconds=round(warm.seconds, 1), held_mib=mib, devices=names)
        return warm

    def _next_assignment(self, actor: Actor) -> worker.Assignment:
        failures = 0
        self._idle_since_s = time.monotonic()
        while True:
            self._look_after(actor)
            if self._roster.is_claimed(self._place):
                raise _Vacate
            try:
                self._registration.say()
                response = self._door.lease(self._request(), lambda: self._idle(actor))
            except (DoorError, Refused) as error:
                failures += 1
                if failures == 1:
                    log.warning("lease_failed", message=str(error))
                self._pause(AFTER_REFUSAL_S if isinstance(error, Refused) else backoff_s(failures))
                continue
            if failures:
                log.info("door_answers_again", failures=failures)
                failures = 0
            if response.HasField("assignment"):
                return response.assignment

    def _request(self) -> worker.LeaseRequest:
        wait_s = SHORT_LEASE_WAIT_S if self._roster.is_shared(self._place) else LEASE_WAIT_S
        registration = self._registration
        return worker.LeaseRequest(pool_id=registration.pool_id, wait_seconds=wait_s, offer=self._roster.offer(self._place))

    def _run_job(self, actor: Actor, assignment: worker.Assignment, warm: Warm) -> bool:
        """Have a job run to its end; tells whether the actor may run another."""
        job_id = assignment.lease.job_id
        log.info("job_leased", job=job_id, attempt=assignment.attempt, display_name=assignment.display_name)
        if self._roster.is_claimed(self._place):
            self._say_farewell(assignment.lease, "its GPU is needed for a job on several", on_purpose=True)
            raise _Vacate
        needs = needs_for(assignment.provider, assignment.configuration)
        another = self._roster.begin(self._place, job_id, needs.gpu_share)
        self._waiting = False
        try:
            if another:
                self._open_another(self._place)
            count = processes_on(needs, gpu=self._place.gpu)
            if count > 1:
                actor.dismiss()
                self._run_on_several(assignment, count)
                return False
            outcome = self._attempt(actor, assignment)
        finally:
            self._roster.end(self._place, job_id)
        harmless = not outcome.HasField("failed") or outcome.failed.code in HARMLESS_CODES
        return harmless and self._is_small(actor, warm)

    def _run_on_several(self, assignment: worker.Assignment, count: int) -> None:
        """Have a job run in several processes: on a GPU each, or all on this place's processor."""
        others = self._roster.claim(self._place, count - 1) if self._place.gpu else []
        try:
            if others is None or not self._are_vacated(assignment, others):
                self._say_farewell(assignment.lease, "the GPUs it needs are not free at once any more", on_purpose=True)
                return
            self._crew.vacate(self._place)
            several = self._crew.hire_several([self._place, *others], count)
            try:
                self._attempt(several, assignment)
            finally:
                several.dismiss()
        finally:
            self._roster.give_back(others or [])

    def _are_vacated(self, assignment: worker.Assignment, others: list[Place]) -> bool:
        """Wait for the other places, and keep the lease meanwhile."""
        request = worker.HeartbeatRequest(pool_id=self._registration.pool_id, lease=assignment.lease)
        end_s = time.monotonic() + VACATE_S
        while not self._roster.wait_vacant(others, LOOK_S):
            self._stop_if_told()
            try:
                self._door.heartbeat(request)
            except (DoorError, Refused) as error:
                log.warning("heartbeat_failed", job=assignment.lease.job_id, message=str(error))
            if time.monotonic() > end_s:
                return False
        return True

    def _attempt(self, runner: Runner, assignment: worker.Assignment) -> worker.Outcome:
        try:
            outcome = self._outcome_of(runner, assignment)
        except ActorLost as lost:
            self._give_back(assignment.lease, str(lost))
            raise
        except AgentStopping:
            runner.dismiss()
            self._say_farewell(assignment.lease, "the pool's agent was stopped", on_purpose=True)
            raise
        except ClusterLost:
            self._say_farewell(assignment.lease, "the pool's Ray cluster is gone")
            raise
        log.info("job_ended", job=assignment.lease.job_id, outcome=outcome.WhichOneof("kind"))
        return outcome

    def _outcome_of(self, runner: Runner, assignment: worker.Assignment) -> worker.Outcome:
        runner.start(assignment.SerializeToString())
        while (outcome := runner.wait_outcome(LOOK_S)) is None:
            self._stop_if_told()
            self._refresh_and_check_sometimes()
        return worker.Outcome.FromString(outcome)

    def _is_small(self, actor: Actor, warm: Warm) -> bool:
        grown = actor.held_bytes() - warm.held_bytes
        if grown > MAX_GROWTH_BYTES:
            log.info("actor_outgrown", grown_mib=grown // 1024**2)
        return grown <= MAX_GROWTH_BYTES

    def _give_back(self, lease: worker.LeaseToken, reason: str) -> None:
        request = worker.ReleaseLeaseRequest(lease=lease, reason=reason[:LONGEST_REASON_CHARACTERS])
        try:
            persistently(lambda: self._door.release_lease(request), self._pause)
        except LeaseLost:
            # The attempt was over anyway: cancelled, or taken by another pool.
            return
        except Refused as refused:
            log.error("release_refused", job=lease.job_id, message=refused.message)
            return
        log.warning("lease_released", job=lease.job_id, reason=reason)

    def _say_farewell(self, lease: worker.LeaseToken, reason: str, *, on_purpose: bool = False) -> None:
        """Give a job back without waiting for anything: its lease runs out by itself."""
        request = worker.ReleaseLeaseRequest(lease=lease, reason=reason, stopped_on_purpose=on_purpose)
        try:
            self._door.release_lease(request, FAREWELL_TIMEOUT_S)
        except (DoorError, Refused) as error:
            log.warning("release_failed", job=lease.job_id, message=str(error))

    def _idle(self, actor: Actor) -> None:
        """Use the time until a job comes."""
        self._look_after(actor)
        # One slot measures for all: two at once would measure each other.
        first = self._place == self._roster.places[0]
        if not first or self._registration.is_measured or time.monotonic() - self._idle_since_s < IDLE_BEFORE_PROBE_S:
            return
        measured = actor.probe(PROBE_S)
        if measured is None:
            return
        log.info("devices_measured", seconds=[round(one.measurement.probe_seconds, 1) for one in measured])
        self._registration.measured(measured)

    def _look_after(self, actor: Actor) -> None:
        """Notice, while nothing happens, that the agent stops or that its actor or Ray is gone."""
        self._stop_if_told()
        if time.monotonic() - self._pinged_s >= PING_S:
            self._crew.check()
            actor.ping()
            self._pinged_s = time.monotonic()

    def _refresh_and_check_sometimes(self) -> None:
        if self._registration.is_due():
            self._registration.refresh()
        if time.monotonic() - self._checked_s >= CHECK_S:
            self._checked_s = time.monotonic()
            self._crew.check()

    def _stop_if_told(self) -> None:
        if self._stop.is_set():
            raise AgentStopping

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise AgentStopping


def _device_of(place: Place, warm: Warm) -> pool_pb2.Device:
    """What a job at a place runs on."""
    kind = pool_pb2.DEVICE_KIND_CUDA if place.gpu else pool_pb2.DEVICE_KIND_CPU
    found = next((one for one in warm.devices if one.kind == kind), None)
    if found is None:
        # A driver that torch can't use: jobs that wait for a GPU must not be run on the processor.
        raise ActorLost("Ray has a GPU here that torch does not see; look at its driver, and at the torch that is installed")
    return found
