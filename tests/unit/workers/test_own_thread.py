"""Work in a thread of its own ends with it, whatever it raises."""

import threading

import pytest

from workers.own_thread import in_own_thread


def test_what_a_thread_keeps_goes_with_it() -> None:
    kept = threading.local()
    seen: list[bool] = []

    def work() -> None:
        seen.append(hasattr(kept, "kernels"))
        kept.kernels = 1

    in_own_thread(work)
    in_own_thread(work)
    assert seen == [False, False]


@pytest.mark.parametrize("error", [ValueError("bad row"), SystemExit(3)])
def test_what_the_work_raises_is_raised(error: BaseException) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        in_own_thread(work)
    assert raised.value is error
