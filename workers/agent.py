"""`python -m workers.agent`: leases jobs for a Ray cluster and has a warm actor run them, and answers the services' inquiries.

Stops within five seconds of SIGTERM. Keeps trying while the services are away. Exits with code 1 when Ray is gone, because only a
new process can join a new cluster: whoever started it starts it again.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

import structlog
from tunesmith.worker.v1 import worker_service_pb2 as worker

from services.chassis.ids import new_id
from services.chassis.logging import configure_logging
from services.chassis.settings import Settings
from workers import devices
from workers.actor import PROVIDERS
from workers.cluster import Cluster
from workers.crew import ClusterLost
from workers.door import Door
from workers.engines.offered import offered
from workers.inquiries import Inquiries
from workers.leasing import Leasing
from workers.pool_id import AgentRunning, keep_pool_id

# Together below the five seconds that a supervisor grants.
STOP_TIMEOUT_S = 2.5
CLOSE_TIMEOUT_S = 2.0
LONGEST_NAME_CHARACTERS = 128

log = structlog.get_logger()


def main() -> int:
    """Run the agent until it is told to stop; returns the process's exit code."""
    settings = Settings()
    configure_logging("agent", settings.log_level)
    try:
        pool_id, _lock = keep_pool_id(settings.home / "agent")
        engines = offered(settings.engines)
    except (AgentRunning, ValueError) as error:
        log.error("agent_refused", message=str(error))
        return 1
    cluster = Cluster(settings, pool_id)
    cluster.connect()
    log.info("agent_started", pool=pool_id, door=settings.worker_address)
    pool = worker.RegisterPoolRequest(
        pool_id=pool_id,
        display_name=socket.gethostname()[:LONGEST_NAME_CHARACTERS],
        providers=[*PROVIDERS, *engines],
        devices=[devices.cpu()],
        instance_id=new_id(),
    )
    door = Door(settings.worker_address, clock=time.monotonic)

    def work(stop: threading.Event) -> None:
        # Beside the leasing, on a connection of its own: neither waits for the other, and this one's trouble is nobody's.
        inquiries = Inquiries(Door(settings.worker_address, clock=time.monotonic), cluster, pool_id, stop)
        threading.Thread(target=inquiries.run, name="inquiries", daemon=True).start()
        Leasing(door, cluster, pool, stop).run()

    code = run_until_told(work)
    _within(CLOSE_TIMEOUT_S, cluster.close)
    return code


def run_until_told(work: Callable[[threading.Event], None]) -> int:
    """Do the work in a thread until it ends or a signal comes; returns the process's exit code.

    The main thread only waits: Python runs signal handlers there, and a call into a Ray that is gone would keep them waiting.
    """
    stop = threading.Event()
    # Unlike an Event, it may be put into by a handler that interrupts its own reader.
    news: SimpleQueue[int | None] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: news.put(None))

    def run() -> None:
        try:
            work(stop)
            news.put(0)
        except ClusterLost as lost:
            log.error("ray_lost", reason=str(lost))
            news.put(1)
        except BaseException:
            log.exception("agent_failed")
            news.put(1)

    thread = threading.Thread(target=run, name="leasing", daemon=True)
    thread.start()
    code = news.get()
    if code is None:
        stop.set()
        thread.join(STOP_TIMEOUT_S)
    return code or 0


def _within(seconds: float, work: Callable[[], None]) -> None:
    """Do something that may hang, and go on without it if it does."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Ray's own goodbye waits for a cluster that may be gone.
    os._exit(code)
