"""Running something in a thread of its own."""

import threading
from collections.abc import Callable


def in_own_thread(work: Callable[[], None]) -> None:
    """Do the work in a new thread and wait for it; raises what it raises.

    What libraries keep for each thread ends with it. torch keeps compiled kernels for every shape of a batch that a thread has
    seen: half a gigabyte after a hundred batches of different lengths in bfloat16.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, name="attempt")
    thread.start()
    thread.join()
    if raised:
        # Without a name that holds it, the frames that the error went through can go once it was dealt with.
        raise raised.pop()
