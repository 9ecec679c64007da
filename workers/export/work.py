"""What the parts of an export share: what to do, where, whom to tell, and how far it is."""

from pathlib import Path

from tunesmith.worker.v1 import worker_service_pb2

from workers.export.inputs import ADAPTER_CONFIG, ExportInputs
from workers.training.sink import Sink, obey

_PERCENT = 100


class Work:
    """One export. `folder` is where its result is made."""

    def __init__(self, assignment: worker_service_pb2.Assignment, inputs: ExportInputs, sink: Sink) -> None:
        self.assignment = assignment
        self.inputs = inputs
        self.sink = sink
        self.folder: Path = inputs.work_folder / "result"
        # Percent that are done, percent of the part that runs, and how many steps of it.
        self._before = self._share = 0
        self._done, self._count = 0, 1

    @property
    def is_adapter(self) -> bool:
        """Whether the source is weights beside a base model, and no model by itself."""
        return (self.inputs.source / ADAPTER_CONFIG).is_file()

    @property
    def title(self) -> str:
        """What the result is called: the base model's name, and the suffix that was asked for."""
        source = self.assignment.export_source.job
        base = self.assignment.base_model.display_name or source.display_name
        return f"{base}-{source.resolved_configuration.output.suffix or 'tuned'}"

    def stage(self, message: str) -> None:
        """A stage begins; raises Stopped if a person wants no more."""
        obey(self.sink)
        self.sink.stage(message)

    def part(self, percent: int, count: int) -> None:
        """What comes next is so much of all, and is done in so many steps."""
        self._before += self._share
        self._share, self._done, self._count = percent, 0, max(1, count)
        self._tell()

    def advance(self) -> None:
        """A step is done; raises Stopped if a person wants no more."""
        obey(self.sink)
        self._done += 1
        self._tell()

    def _tell(self) -> None:
        done = self._before + self._share * self._done / self._count
        self.sink.progress(min(_PERCENT, int(done)), _PERCENT, 0.0, None)
