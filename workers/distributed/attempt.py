"""One attempt in several processes: each trains, the first stores, and all know whether it could."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunesmith.job.v1 import artifact_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import Unavailable
from workers.distributed.cadence import SharedCadence
from workers.distributed.process_state import ProcessState, serialised, write_others
from workers.distributed.processes import Processes
from workers.distributed.sharing import sharing
from workers.distributed.sink import SharedSink
from workers.distributed.split_layers import SplitLayers
from workers.distributed.whole import whole
from workers.providers.local.hardware import Strategy
from workers.training.attempt import Assignment, Attempt
from workers.training.cadence import Cadence
from workers.training.inputs import Inputs
from workers.training.layers import LayerHistory
from workers.training.sink import Sink, Stopped
from workers.training.training_state import TrainingState, write

_DONE, _FAILED, _STOPPED = 0, 1, 2


class FirstFailed(Unavailable):
    """The first process could not do what only it does; it says itself why."""


class SharedAttempt(Attempt):
    """What a recipe has in each of several processes."""

    def __init__(
        self, assignment: Assignment, inputs: Inputs, sink: Sink, processes: Processes, strategy: Strategy, *, on_gpu: bool
    ) -> None:
        """Raises FailedPrecondition if what was asked for can't be trained by this strategy here."""
        self._processes = processes
        super().__init__(assignment, inputs, SharedSink(sink, processes))
        self._sharing = sharing(strategy, self.plan, on_gpu=on_gpu)
        self.plan = replace(self.plan, trainer=self.plan.trainer | self._sharing.arguments)
        self.stage(f"{processes.count} processes train together, by {self._sharing.name}")
        if self._sharing.splits:
            name = self._sharing.name
            self.sink.warning(
                f"With {name} no process has all weights, so where training stands is not stored: a crash starts over, and a "
                "pause waits for the end. Norms and histograms of layers are not taken. DDP does all of it"
            )

    def _cadence(self) -> Cadence:
        return SharedCadence(self.inputs.training_state_seconds, self._processes)

    def _layers(self, trainer: Any) -> LayerHistory:
        return SplitLayers() if self._sharing.splits else super()._layers(trainer)

    def _store_weights(self, trainer: Any, *arguments: Any, **named: Any) -> None:
        with whole(trainer, first=self._processes.is_first) if self._sharing.splits else nullcontext():
            self._in_the_first(lambda: Attempt._store_weights(self, trainer, *arguments, **named))

    def _earlier_state(self, trainer: Any, facts: dict[str, str]) -> TrainingState | None:
        """As every process can go on from there, or None for all of them."""
        earlier = super()._earlier_state(trainer, self._with_count(facts))
        found = self._processes.collect(b"" if earlier is None else b"1")
        if not self._processes.agree(all(found)) or earlier is None:
            return None
        return ProcessState(earlier.folder, earlier.content, self._processes.rank)

    def _store_state(self, trainer: Any, *arguments: Any, **named: Any) -> None:
        if self._sharing.splits:
            self.recorder.state_failed(0.0)
            return
        super()._store_state(trainer, *arguments, **named)

    def _write_and_store(
        self, trainer: Any, folder: Path, facts: dict[str, str], kind: artifact_pb2.ArtifactKind, name: str
    ) -> None:
        """Store where training stands, with the random numbers of every process."""
        everyones = self._processes.collect(serialised())

        def store() -> None:
            write(trainer, folder, self._with_count(facts), self.recorder.recorded(), self._best.files())
            write_others(folder, everyones)
            self._store(kind, name, trainer.state.global_step, folder)

        self._in_the_first(store)

    def _with_count(self, facts: dict[str, str]) -> dict[str, str]:
        return facts | {"the number of processes": str(self._processes.count)}

    def _in_the_first(self, work: Callable[[], None]) -> None:
        """Have the first process do what only one may do. What it raises, the others raise too."""
        raised: BaseException | None = None
        if self._processes.is_first:
            try:
                work()
            except BaseException as error:
                raised = error
        ended = _DONE if raised is None else _STOPPED if isinstance(raised, Stopped) else _FAILED
        ended = self._processes.agree(ended)
        if raised is not None:
            raise raised
        if ended == _STOPPED:
            raise Stopped(worker_service_pb2.DIRECTIVE_CANCEL)
        if ended == _FAILED:
            raise FirstFailed("NOT_STORED", "the first process could not store what was due, and says why")
