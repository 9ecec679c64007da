"""The lease loop: keep a training actor warm, ask for a job, have it run, and give it back if the actor dies."""

import threading
import time
from collections.abc import Sequence

import structlog
from google.rpc import code_pb2
from tunesmith.pool.v1 import pool_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from workers.crew import Actor, ActorLost, ClusterLost, Crew, Warm
from workers.door import Door, DoorError, LeaseLost, Refused, backoff_s, persistently

LEASE_WAIT_S = 25.0
# How often a running job's pool says that it is still there, and how often an idle actor is asked whether it is.
REFRESH_S = 10.0
PING_S = 2.0
LOOK_S = 0.5
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


class Leasing:
    """Works for one pool with one actor at a time, until `stop` is set.

    `pool` says who it is; the devices are filled in by the actor that measures them.
    """

    def __init__(self, door: Door, crew: Crew, pool: worker.RegisterPoolRequest, stop: threading.Event) -> None:
        self._door = door
        self._crew = crew
        self._pool = pool
        self._stop = stop
        self._refreshed_s = self._pinged_s = -REFRESH_S
        self._idle_since_s = 0.0
        # What the pool found out about its devices; empty until it has.
        self._measured: list[pool_pb2.Device] = []

    def run(self) -> None:
        """Lease and work until told to stop. Raises ClusterLost."""
        failures = 0
        try:
            while True:
                try:
                    self._serve_with(self._crew.hire())
                    failures = 0
                except ActorLost as lost:
                    failures += 1
                    log.warning("actor_lost", reason=str(lost))
                    self._pause(backoff_s(failures))
        except AgentStopping:
            log.info("agent_stopping")

    def _serve_with(self, actor: Actor) -> None:
        """Have one actor run jobs until it is no longer as good as new."""
        try:
            warm = self._warm_up(actor)
            while self._run_job(actor, self._next_assignment(actor), warm):
                pass
        finally:
            actor.dismiss()

    def _warm_up(self, actor: Actor) -> Warm:
        self._pool.ready = False
        self._refresh()
        began_s = told_s = time.monotonic()
        while (warm := actor.wait_warm(LOOK_S)) is None:
            self._stop_if_told()
            self._refresh_and_check_sometimes()
            if time.monotonic() - told_s >= SLOW_START_S:
                told_s = time.monotonic()
                hint = "something else holds this machine's CPUs or GPUs in Ray, or its disk is slow; see `ray status`"
                log.warning("actor_not_ready_yet", seconds=round(told_s - began_s), hint=hint)
        del self._pool.devices[:]
        self._pool.devices.extend(self._with_measurements(warm.devices))
        self._pool.ready = True
        mib = warm.held_bytes // 1024**2
        log.info("actor_ready", seconds=round(warm.seconds, 1), held_mib=mib, devices=[one.name for one in warm.devices])
        return warm

    def _next_assignment(self, actor: Actor) -> worker.Assignment:
        request = worker.LeaseRequest(pool_id=self._pool.pool_id, wait_seconds=LEASE_WAIT_S)
        failures = 0
        self._idle_since_s = time.monotonic()
        while True:
            self._look_after(actor)
            try:
                self._door.register_pool(self._pool)
                response = self._door.lease(request, lambda: self._idle(actor))
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

    def _run_job(self, actor: Actor, assignment: worker.Assignment, warm: Warm) -> bool:
        """Have a job run to its end; tells whether the actor may run another."""
        job_id = assignment.lease.job_id
        log.info("job_leased", job=job_id, attempt=assignment.attempt, display_name=assignment.display_name)
        try:
            outcome = self._outcome_of(actor, assignment)
        except ActorLost as lost:
            self._give_back(assignment.lease, str(lost))
            raise
        except AgentStopping:
            actor.dismiss()
            self._say_farewell(assignment.lease, "the pool's agent was stopped", on_purpose=True)
            raise
        except ClusterLost:
            self._say_farewell(assignment.lease, "the pool's Ray cluster is gone")
            raise
        log.info("job_ended", job=job_id, outcome=outcome.WhichOneof("kind"))
        harmless = not outcome.HasField("failed") or outcome.failed.code in HARMLESS_CODES
        return harmless and self._is_small(actor, warm)

    def _outcome_of(self, actor: Actor, assignment: worker.Assignment) -> worker.Outcome:
        actor.start(assignment.SerializeToString())
        while (outcome := actor.wait_outcome(LOOK_S)) is None:
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
        if self._measured or time.monotonic() - self._idle_since_s < IDLE_BEFORE_PROBE_S:
            return
        measured = actor.probe(PROBE_S)
        if measured is None:
            return
        self._measured = measured
        del self._pool.devices[:]
        self._pool.devices.extend(measured)
        log.info("devices_measured", seconds=[round(one.measurement.probe_seconds, 1) for one in measured])
        self._refresh()

    def _with_measurements(self, devices: Sequence[pool_pb2.Device]) -> list[pool_pb2.Device]:
        """Devices of a new actor, with what an earlier one found out about the same."""
        known = {(one.kind, one.name, one.memory_bytes): one for one in self._measured}
        return [known.get((one.kind, one.name, one.memory_bytes), one) for one in devices]

    def _look_after(self, actor: Actor) -> None:
        """Notice, while nothing happens, that the agent stops or that its actor or Ray is gone."""
        self._stop_if_told()
        if time.monotonic() - self._pinged_s >= PING_S:
            self._crew.check()
            actor.ping()
            self._pinged_s = time.monotonic()

    def _refresh_and_check_sometimes(self) -> None:
        if time.monotonic() - self._refreshed_s >= REFRESH_S:
            self._refresh()
            self._crew.check()

    def _refresh(self) -> None:
        """Say that the pool is there, if the door is."""
        self._refreshed_s = time.monotonic()
        try:
            self._door.register_pool(self._pool)
        except (DoorError, Refused) as error:
            log.debug("register_failed", message=str(error))

    def _stop_if_told(self) -> None:
        if self._stop.is_set():
            raise AgentStopping

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise AgentStopping
