"""When to store where training stands, decided once for all processes."""

from workers.distributed.processes import Processes
from workers.training.cadence import SHARE, Cadence


class SharedCadence(Cadence):
    """As the first process's clock says: with clocks of their own some would store and the others train on."""

    def __init__(self, interval_s: float, processes: Processes) -> None:
        super().__init__(interval_s)
        self._processes = processes

    def is_due(self, remaining_s: float) -> bool:
        """Whether to store now; a meeting of all."""
        past = super().is_past()
        return bool(self._processes.agree(past and remaining_s * SHARE > self._pause_s))

    def is_past(self) -> bool:
        """Whether enough time has passed; a meeting of all."""
        return bool(self._processes.agree(super().is_past()))
