"""The loop over stand-in parts: real processes, real signals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from supervisor.supervise import say
from tests.unit.supervisor.conftest import STUBBORN, WELL_BEHAVED, Run, is_alive, wait_for
from tests.unit.supervisor.run_parts import STEADY_S

Start = Callable[..., Run]


def part(name: str, program: str = WELL_BEHAVED, **fields: object) -> dict[str, object]:
    return {"name": name, "program": program, **fields}


def test_parts_start_in_order_and_end_in_reverse(run_parts: Start) -> None:
    run = run_parts(part("a"), part("b", after=["a"]), part("c", after=["b"]))
    run.wait_until_said("c is up")
    run.stop()
    assert run.lines("started") == ["a", "b", "c"]
    assert run.lines("ended") == ["c", "b", "a"]
    assert run.process.returncode == 0
    assert run.said().splitlines()[-1] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stops_on_every_signal_that_asks_for_it(run_parts: Start, number: signal.Signals) -> None:
    run = run_parts(part("a"))
    pid = run.pid("a")
    run.stop(number)
    assert run.process.returncode == 0
    assert not is_alive(pid)


def test_ctrl_c_reaches_the_supervisor_alone(run_parts: Start) -> None:
    run = run_parts(part("a"))
    assert os.getpgid(run.pid("a")) != os.getpgid(run.process.pid)


def test_a_part_that_dies_starts_again(run_parts: Start) -> None:
    run = run_parts(part("a"))
    run.wait_until_said("a is up")
    first = run.pid("a")
    os.kill(first, signal.SIGKILL)
    run.wait_until_said("a is up", times=2)
    assert run.lines("started") == ["a", "a"]
    assert run.pid("a") != first
    assert "a: was ended by signal 9; starts again in 0.05 s" in run.said()


def test_a_part_that_was_up_for_a_while_starts_again_at_once_however_often_it_dies(run_parts: Start) -> None:
    run = run_parts(part("a"))
    for times in range(1, 4):
        run.wait_until_said("a is up", times=times)
        pid = run.pid("a")
        time.sleep(2 * STEADY_S)
        os.kill(pid, signal.SIGKILL)
        run.wait_until_said("a: was ended by signal 9; starts again at once", times=times)
    run.wait_until_said("a is up", times=4)
    assert "in a row" not in run.said()


def test_a_part_that_ends_as_soon_as_it_is_up_waits_longer_each_time(run_parts: Start) -> None:
    brief = WELL_BEHAVED.replace("while True: signal.pause()", "import time; time.sleep(0.1); sys.exit(3)")
    run = run_parts(part("brief", brief))
    for backoff_s in ("0.05", "0.1", "0.2", "0.4"):
        run.wait_until_said(f"brief: ended with code 3; starts again in {backoff_s} s")


def test_what_a_part_failed_of_is_forgotten_when_the_one_it_is_bound_to_starts_again(run_parts: Start) -> None:
    run = run_parts(part("head"), part("agent", "raise SystemExit(3)", after=["head"], bound_to=["head"]))
    run.wait_until_said("agent: ended with code 3; starts again in 0.4 s")
    os.kill(run.pid("head"), signal.SIGKILL)
    run.wait_until_said("agent: ended with code 3; starts again in 0.05 s", times=2)


def test_a_part_starts_again_with_the_one_it_is_bound_to(run_parts: Start) -> None:
    run = run_parts(part("head"), part("agent", after=["head"], bound_to=["head"]), part("other", after=["head"]))
    agent, other = run.pid("agent"), run.pid("other")
    os.kill(run.pid("head"), signal.SIGKILL)
    wait_for(lambda: run.lines("started").count("agent") == 2)
    wait_for(lambda: run.pid("agent") != agent)
    assert run.pid("other") == other
    assert run.lines("started").count("other") == 1


def test_a_vital_part_that_cannot_start_ends_it_all_with_the_reason(run_parts: Start) -> None:
    run = run_parts(part("a"), part("broken", "raise SystemExit('no such table: jobs')", is_vital=True))
    assert run.process.wait(30) == 1
    assert run.said().count("broken: started") == 5
    assert "no such table: jobs" in run.said()
    assert not is_alive(run.pid("a"))


def test_another_part_that_cannot_start_is_tried_on(run_parts: Start) -> None:
    run = run_parts(part("a"), part("broken", "raise SystemExit('no such table: jobs')"))
    run.wait_until_said("broken: started", times=6)
    assert "no such table: jobs" in run.said()
    assert run.process.poll() is None
    assert is_alive(run.pid("a"))


def test_a_part_that_is_done_is_not_started_again(run_parts: Start) -> None:
    run = run_parts(part("a"), part("seed", "print('sown')", once=True, after=["a"]))
    run.wait_until_said("seed: done")
    time.sleep(0.5)
    assert run.log("seed") == "sown\n"


def test_a_stubborn_part_is_killed_with_all_it_started(run_parts: Start) -> None:
    run = run_parts(part("a"), part("stubborn", STUBBORN, stop_s=0.5))
    pids = [run.pid("stubborn"), run.pid("orphan")]
    assert all(is_alive(pid) for pid in pids)
    run.stop()
    assert run.process.returncode == 0
    assert [pid for pid in pids if is_alive(pid)] == []


def test_what_a_killed_run_left_is_ended_by_the_next(run_parts: Start) -> None:
    run = run_parts(part("a"), part("stubborn", STUBBORN))
    pids = [run.pid("a"), run.pid("stubborn"), run.pid("orphan")]
    wait_for(lambda: {entry["pid"] for entry in _recorded(run)} >= set(pids))
    run.process.kill()
    run.process.wait()
    assert all(is_alive(pid) for pid in pids)
    following = run_parts(part("b"))
    following.wait_until_said("b is up")
    assert [pid for pid in pids if is_alive(pid)] == []


def test_a_process_that_only_has_a_recorded_id_is_left_alone(run_parts: Start) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        run = run_parts(part("a"))
        run.pid("a")
        run.stop()
        run.path("processes.json").write_text(
            json.dumps([{"pid": stranger.pid, "started": psutil.Process(stranger.pid).create_time() - 60}])
        )
        following = run_parts(part("b"))
        following.wait_until_said("b is up")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_damaged_record_keeps_nothing_from_starting(run_parts: Start) -> None:
    run = run_parts(part("a"))
    run.pid("a")
    run.stop()
    run.path("processes.json").write_text('[{"pid": 1')
    following = run_parts(part("b"))
    following.wait_until_said("b is up")


def _recorded(run: Run) -> list[dict[str, float]]:
    path = run.path("processes.json")
    return json.loads(path.read_text()) if path.exists() else []


def test_a_reader_that_has_left_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        say("gateway ready")
        monkeypatch.undo()
        # What is still in the buffer has nowhere to go.
        with pytest.raises(BrokenPipeError):
            pipe.close()
