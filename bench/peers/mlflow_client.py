"""Loads on an MLflow tracking server with its official client. Run by MLflow's own Python, which has nothing of Tunesmith.

    python mlflow_client.py http://127.0.0.1:5000

Takes one JSON object a line, {"load": name, "count": clients, "seconds": s}, and answers one a line: figures, or {"error"}.
`fill` makes the experiment and so many runs, which the reading loads need. A call that fails ends its load with an error.
"""

import json
import multiprocessing
import sys
import threading
import time

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

EXPERIMENT, WRITTEN = "bench", "bench-written"
# The batch and the series are those of our own reports.
BATCH_POINTS, SERIES = 1000, 10
RUN_METRICS, RUN_PARAMS = 10, 5
PAGE_SIZE = 50
PROCESSES = 2
TIMEOUT_S = 300.0


def fill(client, runs):
    """Make runs that look like somebody's: a few metrics, a few parameters."""
    experiment = client.create_experiment(EXPERIMENT)
    # What is written goes to an experiment of its own, so that the page of fifty stays one of so many runs.
    client.create_experiment(WRITTEN)
    for index in range(runs):
        run = client.create_run(experiment).info.run_id
        now = int(time.time() * 1000)
        metrics = [Metric(f"metric{each}", float(each + index), now, 0) for each in range(RUN_METRICS)]
        client.log_batch(run, metrics, [Param(f"param{each}", str(index)) for each in range(RUN_PARAMS)])
    return {"runs_count": runs}


def get_run(client, experiment, index):
    found = client.search_runs([experiment], max_results=1000)
    ids = [run.info.run_id for run in found]
    count = index * 97
    while True:
        client.get_run(ids[count % len(ids)])
        count += 1
        yield


def search_runs(client, experiment, _index):
    while True:
        if len(client.search_runs([experiment], max_results=PAGE_SIZE)) != PAGE_SIZE:
            raise RuntimeError(f"a page has not {PAGE_SIZE} runs: `fill` comes first")
        yield


def log_batch(client, _experiment, _index):
    run, steps, first = _new_run(client), BATCH_POINTS // SERIES, 1
    while True:
        now = int(time.time() * 1000)
        points = [
            Metric(f"loss/{series}", 1.0 / step, now, step) for series in range(SERIES) for step in range(first, first + steps)
        ]
        client.log_batch(run, points)
        first += steps
        yield


def log_metric(client, _experiment, _index):
    run, step = _new_run(client), 0
    while True:
        step += 1
        client.log_metric(run, "loss/0", 1.0 / step, step=step)
        yield


def _new_run(client):
    return client.create_run(client.get_experiment_by_name(WRITTEN).experiment_id).info.run_id


LOADS = {load.__name__: load for load in (get_run, search_runs, log_batch, log_metric)}


def measure(url, load, clients, seconds):
    """One closed loop a client, spread over two processes like those of our own loads."""
    context = multiprocessing.get_context("fork")
    processes = min(PROCESSES, clients)
    barrier, answers = context.Barrier(clients), context.SimpleQueue()
    shares = [range(first, clients, processes) for first in range(processes)]
    children = [context.Process(target=_child, args=(url, load, share, seconds, barrier, answers)) for share in shares]
    for child in children:
        child.start()
    found = [answers.get() for _ in range(clients)]
    for child in children:
        child.join(TIMEOUT_S)
    errors = [error for _, _, _, error in found if error]
    if errors:
        raise RuntimeError(errors[0])
    times = sorted(one for _, _, times, _ in found for one in times)
    wall = max(end for _, end, _, _ in found) - min(begin for begin, _, _, _ in found)
    return {
        "calls_count": len(times),
        "calls_per_s": len(times) / wall,
        "p50_ms": 1000 * times[len(times) // 2],
        "p99_ms": 1000 * times[int(0.99 * len(times))],
    }


def _child(url, load, share, seconds, barrier, answers):
    threads = [threading.Thread(target=_loop, args=(url, load, index, seconds, barrier, answers)) for index in share]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _loop(url, load, index, seconds, barrier, answers):
    times = []
    try:
        client = MlflowClient(tracking_uri=url)
        calls = LOADS[load](client, client.get_experiment_by_name(EXPERIMENT).experiment_id, index)
        next(calls)
        barrier.wait(TIMEOUT_S)
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            before = time.perf_counter()
            next(calls)
            times.append(time.perf_counter() - before)
        answers.put((begin, time.monotonic(), times, ""))
    except BaseException as error:
        barrier.abort()
        answers.put((0.0, 0.0, [], f"{type(error).__name__}: {error}"))


def main():
    url = sys.argv[1]
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if asked["load"] == "fill":
                answer = fill(MlflowClient(tracking_uri=url), asked["count"])
            else:
                answer = measure(url, asked["load"], asked["count"], asked["seconds"])
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
