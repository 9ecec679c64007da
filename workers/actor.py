"""The training actor: a process that has torch warm and runs one attempt after another.

It holds no Ray code, so a test can run it as it is. What passes between it and the agent is bytes and numbers: pickled message
classes would tie both to one version of the generated code.
"""

import gc
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import structlog
from tunesmith.config.v1 import method_pb2
from tunesmith.pool.v1 import pool_pb2
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.errors import FailedPrecondition
from services.chassis.failpoints import failpoint
from services.chassis.ids import is_id
from services.chassis.logging import configure_logging
from workers import devices
from workers.cache import Cache
from workers.door import Door, LeaseLost
from workers.export.inputs import ExportInputs
from workers.heap import trim
from workers.inputs import Fetcher
from workers.own_thread import in_own_thread
from workers.partitions import is_partition
from workers.providers import PROVIDERS as BACKENDS
from workers.providers.asked import needs_for
from workers.providers.engines import ENGINES
from workers.report import Reporter
from workers.training.inputs import Inputs
from workers.training.recipes import MODULES
from workers.training.sink import Sink, Stopped, obey

# What the process ends with when its attempt is no longer its own, so that nothing of it can write any more.
ABANDONED_EXIT_CODE = 75
OMP_VARIABLE = "OMP_NUM_THREADS"
CUDA_VARIABLE = "CUDA_VISIBLE_DEVICES"
# How many compiled kernels oneDNN keeps for the process, at about a quarter of a MiB each. Its own default is 1,024; what
# counts while a job runs is torch's cache in front of it, which goes with the job's thread.
PRIMITIVES_VARIABLE, MAX_PRIMITIVES = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256"

log = structlog.get_logger()

Recipe = Callable[[worker.Assignment, Inputs, Sink], None]
Export = Callable[[worker.Assignment, ExportInputs, Sink], None]
# Provider, and what its configuration optimises.
RecipeKey = tuple[str, method_pb2.TrainingObjective]


def _train(assignment: worker.Assignment, inputs: Inputs, sink: Sink) -> None:
    from workers.training.attempt import run

    in_own_thread(lambda: run(assignment, inputs, sink))


RECIPES: dict[RecipeKey, Recipe] = {("local", objective): _train for objective in MODULES}
PROVIDERS = sorted({provider for provider, _ in RECIPES})


def _train_elsewhere(assignment: worker.Assignment, inputs: Inputs, sink: Sink) -> None:
    from workers.engines.run import run

    run(assignment, inputs, sink)


# Of engines in environments of their own; a pool that does not offer one is leased no such job.
ENGINE_RECIPES: dict[RecipeKey, Recipe] = {
    (name, objective): _train_elsewhere for name in ENGINES for objective in BACKENDS[name].choices["method.objective"].acting
}


def _export(assignment: worker.Assignment, inputs: ExportInputs, sink: Sink) -> None:
    from workers.export.export import run

    in_own_thread(lambda: run(assignment, inputs, sink))


class TrainingActor:
    """Runs attempts, one at a time.

    `omp_num_threads` is the agent's own OMP_NUM_THREADS, None if it has none; where training stands is stored about every
    `training_state_seconds`; inputs that no job uses are kept up to `cache_max_bytes`. Actors of one home have a `number` each.
    `visible_devices` is what CUDA may see; None leaves that to Ray.
    """

    def __init__(
        self,
        home: str,
        address: str,
        pool_id: str,
        log_level: str,
        omp_num_threads: str | None,
        training_state_seconds: float,
        cache_max_bytes: int,
        recipes: Mapping[RecipeKey, Recipe] | None = None,
        exit_process: Callable[[int], None] = os._exit,
        export: Export = _export,
        number: int = 0,
        visible_devices: str | None = None,
    ) -> None:
        configure_logging("actor", log_level)
        if visible_devices is not None:
            os.environ[CUDA_VARIABLE] = visible_devices
        use_threads_of_a_plain_script(omp_num_threads)
        os.environ.setdefault(PRIMITIVES_VARIABLE, MAX_PRIMITIVES)
        self._door = Door(address, clock=time.monotonic)
        self._pool_id = pool_id
        self._training_state_seconds = training_state_seconds
        self._recipes = RECIPES | ENGINE_RECIPES if recipes is None else recipes
        self._exit_process = exit_process
        self._export = export
        self._cache = Cache(Path(home) / "cache", cache_max_bytes)
        self._work_root = work_root(Path(home), number)
        self._devices: list[pool_pb2.Device] = []
        self._probing: Any = None
        self._clear_leftovers()

    def warm(self) -> tuple[list[bytes], float, int]:
        """Load what training needs and try it; returns the devices, the seconds it took, and the bytes that are held now."""
        began = time.monotonic()
        # Loading leaves no garbage worth the half second that looking for it takes, each time somebody looks.
        gc.disable()
        try:
            from workers.training.gpus import gpus
            from workers.training.recipes import supervised  # noqa: F401 - loads torch, transformers, peft and trl
        finally:
            gc.freeze()
            gc.enable()
        self._warm_up()
        self._devices = [devices.cpu(), *gpus(partition=is_partition(os.environ.get(CUDA_VARIABLE, "")))]
        return [device.SerializeToString() for device in self._devices], time.monotonic() - began, self.held_bytes()

    def probe(self, seconds: float) -> list[bytes] | None:
        """Go on finding out how fast the devices are, for about so long; the devices with what was found, once all of it is.

        Without a measurement if it can't be found out.
        """
        from workers.training.probing import Probing

        if self._probing is None:
            self._probing = Probing(self._devices, self.held_bytes)
        found: list[list[pool_pb2.Device] | None] = []
        try:
            # As a job runs, whose threads and kernels are its own.
            in_own_thread(lambda: found.append(self._probing.advance(seconds)))
        except Exception:
            # Estimates then go by what the maker says.
            log.exception("probe_failed")
            found = [self._devices]
        measured = found[0]
        return None if measured is None else [device.SerializeToString() for device in measured]

    def ping(self) -> None:
        """Answer, as a sign of life."""

    def run(self, assignment_bytes: bytes) -> bytes:
        """Run an attempt to its end; returns the outcome that the service took. Does not return if the lease is lost."""
        assignment = worker.Assignment.FromString(assignment_bytes)
        failpoint("attempt.started")
        work_folder = self._make_work_folder(assignment.lease)

        def abandon(reason: str) -> None:
            log.warning("attempt_abandoned", job=assignment.lease.job_id, reason=reason)
            shutil.rmtree(work_folder, ignore_errors=True)
            self._exit_process(ABANDONED_EXIT_CODE)

        reporter = Reporter(self._door, self._pool_id, assignment, abandon)
        reporter.start()
        log.info("attempt_started", job=assignment.lease.job_id, attempt=assignment.attempt)
        try:
            outcome = self._attempt(assignment, reporter, work_folder)
        finally:
            # Before the outcome is told: who hears that a job is over finds nothing of it left.
            shutil.rmtree(work_folder, ignore_errors=True)
            self._cache.end_use()
        outcome = reporter.close(outcome)
        log.info("attempt_ended", job=assignment.lease.job_id, outcome=outcome.WhichOneof("kind"))
        return outcome.SerializeToString()

    def held_bytes(self) -> int:
        """The memory that this process alone accounts for."""
        # The end of a job's thread, and of those that computed for it, has set memory free since the job gave its own back.
        trim()
        memory = psutil.Process().memory_full_info()
        return getattr(memory, "pss", memory.uss)

    def _warm_up(self) -> None:
        from workers.training.memory import settle
        from workers.training.warm_up import warm_up

        folder = self._work_root / "warm-up"
        folder.mkdir()
        try:
            in_own_thread(lambda: warm_up(folder))
        except Exception:
            # A job may train all the same; if not, it says why.
            log.exception("warm_up_failed")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        settle()

    def _attempt(self, assignment: worker.Assignment, reporter: Reporter, work_folder: Path) -> worker.Outcome:
        try:
            recipe = None if assignment.HasField("export") else _recipe_for(assignment, self._recipes)
            reporter.stage("Fetching the inputs")
            lease = reporter.lease
            fetcher = Fetcher(self._door, lease.token, self._cache, lambda: obey(reporter), lease.pause_work, reporter.warning)
            if recipe is None:
                self._export(assignment, fetcher.fetch_export(assignment, work_folder), reporter)
            else:
                inputs = replace(
                    fetcher.fetch(assignment, work_folder),
                    training_state_seconds=self._training_state_seconds,
                    tokenised_folder=self._cache.tokenised,
                )
                with _share_of_gpu(assignment):
                    recipe(assignment, inputs, reporter)
        except Stopped as stopped:
            return _stopped(stopped)
        except LeaseLost as lost:
            reporter.lease.lose(str(lost))
            raise
        except Exception as error:
            log.exception("attempt_failed", job=assignment.lease.job_id)
            from workers.training.failures import status_of

            return worker.Outcome(failed=status_of(error))
        return worker.Outcome(succeeded=worker.Succeeded())

    def _make_work_folder(self, lease: worker.LeaseToken) -> Path:
        if not is_id(lease.job_id):
            text = f"{lease.job_id!r} is no job's id; update the agent and the services together"
            raise FailedPrecondition("INPUT_REFUSED", text)
        folder = self._work_root / f"{lease.job_id}-{lease.epoch}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _clear_leftovers(self) -> None:
        """Remove what an actor that died left behind, and stand where a library's stray file does no harm."""
        shutil.rmtree(self._work_root, ignore_errors=True)
        self._work_root.mkdir(parents=True, exist_ok=True)
        os.chdir(self._work_root)
        self._cache.discard_partial()


def _recipe_for(assignment: worker.Assignment, recipes: Mapping[RecipeKey, Recipe]) -> Recipe:
    objective = assignment.configuration.method.objective
    recipe = recipes.get((assignment.provider, objective))
    if recipe is None:
        what = f"{assignment.provider}, {method_pb2.TrainingObjective.Name(objective)}"
        text = f"this pool has no recipe for {what}; choose another objective, or run a pool that has one"
        raise FailedPrecondition("NO_RECIPE", text)
    return recipe


@contextmanager
def _share_of_gpu(assignment: worker.Assignment) -> Iterator[None]:
    """Leave the rest of the GPU's memory to those who train beside this job."""
    share = needs_for(assignment.provider, assignment.configuration).gpu_share
    if share >= 1:
        yield
        return
    from workers.training.gpus import limit_memory

    limit_memory(share)
    try:
        yield
    finally:
        limit_memory(1.0)


def work_root(home: Path, number: int) -> Path:
    """Where an actor has the folders of its attempts: nobody else's."""
    return home / ("work" if number == 0 else f"work-{number}")


def use_threads_of_a_plain_script(omp_num_threads: str | None) -> None:
    """Undo what Ray sets: one OpenMP thread a logical core, where torch by itself takes one a physical core.

    Works until torch is loaded.
    """
    if omp_num_threads is None:
        os.environ.pop(OMP_VARIABLE, None)
    else:
        os.environ[OMP_VARIABLE] = omp_num_threads


def _stopped(stopped: Stopped) -> worker.Outcome:
    if stopped.directive == worker.DIRECTIVE_PAUSE:
        return worker.Outcome(paused=worker.Paused())
    return worker.Outcome(cancelled=worker.Cancelled())
