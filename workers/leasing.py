"""The pool's work: a slot for each actor that its devices have room for, each in a thread of its own."""

import threading
from queue import SimpleQueue

import structlog
from tunesmith.worker.v1 import worker_service_pb2 as worker

from workers.crew import Crew, Place
from workers.door import Door
from workers.registration import Registration
from workers.roster import Roster
from workers.slot import Slot

# What the others may take to notice that the cluster is gone, or to give their jobs back.
TOGETHER_S = 2.0

log = structlog.get_logger()


class Leasing:
    """Works for one pool until `stop` is set; `pool` says who it is."""

    def __init__(self, door: Door, crew: Crew, pool: worker.RegisterPoolRequest, stop: threading.Event) -> None:
        self._door = door
        self._crew = crew
        self._pool = pool
        self._stop = stop
        self._threads: list[threading.Thread] = []
        # How each slot ended: None, or what it raised.
        self._ends: SimpleQueue[BaseException | None] = SimpleQueue()

    def run(self) -> None:
        """Lease and work until told to stop. Raises ClusterLost."""
        places = self._crew.places()
        log.info("slots", count=len(places), gpus=sum(place.gpu for place in places))
        roster = Roster(places)
        registration = Registration(self._door, self._pool, places)

        def open_slot(place: Place) -> None:
            slot = Slot(self._door, self._crew, place, roster, registration, self._stop, open_slot)
            thread = threading.Thread(target=self._run, args=(slot,), name=f"slot-{place.number}", daemon=True)
            self._threads.append(thread)
            thread.start()

        for place in places:
            open_slot(place)
        ended = 0
        # A slot that is not needed any more ends without more ado.
        while ended < len(self._threads):
            raised = self._ends.get()
            ended += 1
            if raised is not None:
                self._end_together()
                raise raised

    def _run(self, slot: Slot) -> None:
        try:
            slot.run()
        except BaseException as error:
            self._ends.put(error)
        else:
            self._ends.put(None)

    def _end_together(self) -> None:
        """What ended one slot ends all: only a new process can mend it."""
        self._stop.set()
        for thread in self._threads:
            thread.join(TOGETHER_S)
