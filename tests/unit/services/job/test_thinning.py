"""A thinned series: few points, and none that a chart would miss."""

import math
import random
from typing import Any

import pytest
from tunesmith.job.v1 import metric_pb2

from services.job import convert
from services.job.thinning import PART, Columns

NAN, INFINITY = math.nan, math.inf
Point = tuple[int, float, int]


def columns(*chunks: metric_pb2.MetricChunk) -> Columns:
    return Columns(metric_pb2.MetricChunk.FromString(b"".join(chunk.SerializeToString() for chunk in chunks)))


def chunk(steps: list[int], values: list[float]) -> metric_pb2.MetricChunk:
    return metric_pb2.MetricChunk(key="train_loss", steps=steps, values=values, times_ms=[step + 1000 for step in steps])


def resolved(chunks: list[metric_pb2.MetricChunk]) -> list[Point]:
    """What the full series holds."""
    (series,) = convert.series(chunks)
    return [(point.step, point.value, point.time.ToMilliseconds()) for point in series.points]


def expected(points: list[Point], most: int) -> list[Point]:
    """The rule, word by word: first, last, least and greatest of equal stretches of steps."""
    if len(points) <= most:
        return points
    if most == 1:
        return points[-1:]
    count = (most - 2) // 2
    first, last = points[0][0], points[-1][0]
    kept = {points[0], points[-1]}
    for number in range(count):
        low, high = first + (last - first) * number // count, first + (last - first) * (number + 1) // count
        stretch = [point for point in points[1:-1] if low < point[0] <= high]
        if stretch:
            kept |= {min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])}
    return sorted(kept)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_kept_of_any_series(seed: int) -> None:
    chance = random.Random(seed)
    # Steps that rise, with gaps; in half of the seeds an attempt that went back and trained some of them again.
    steps = sorted(chance.sample(range(10_000), 600))
    chunks = [chunk(part, [chance.gauss(0, 1) for _ in part]) for part in (steps[:250], steps[250:251], steps[251:])]
    if seed % 2:
        again = sorted(chance.sample(range(steps[300], 12_000), 300))
        chunks += [chunk(again, [chance.gauss(5, 1) for _ in again])]
    truth = resolved(chunks)
    for most in (1, 2, 3, 4, 5, 10, 99, 200, len(truth), 10_000):
        thinned = columns(*chunks).thinned(most)
        assert thinned == expected(truth, most)
        assert len(thinned) <= most
    after = steps[100]
    later = [point for point in truth if point[0] > after]
    assert columns(*chunks).thinned(50, after) == expected(later, 50)
    assert columns(*chunks).thinned(50, 20_000) == []


@pytest.mark.parametrize("back", [1, 2, 2500])
def test_an_attempt_that_went_back_between_two_parts(back: int) -> None:
    again = list(range(PART - back, 2 * PART))
    taken = columns(chunk(list(range(PART)), [1.0] * PART), chunk(again, [5.0] * len(again)))
    assert list(taken.steps) == list(range(2 * PART))
    assert list(taken.values) == [1.0] * (PART - back) + [5.0] * len(again)


def test_a_spike_of_one_step_stays() -> None:
    values = [1.0] * 100_000
    values[40_000], values[70_000] = 1e6, -1e6
    kept = columns(*(chunk(list(range(at, at + 10_000)), values[at : at + 10_000]) for at in range(0, 100_000, 10_000))).thinned(
        10
    )
    assert len(kept) <= 10
    assert {(step, value) for step, value, _ in kept} >= {(0, 1.0), (40_000, 1e6), (70_000, -1e6), (99_999, 1.0)}


@pytest.mark.parametrize("most", [5, 8, 11, 50])
def test_what_is_no_number_stays_beside_the_extremes_of_its_stretch(most: int) -> None:
    values = [1.0 + step / 1000 for step in range(1000)]
    values[500], values[501], values[502], values[503] = 7.0, NAN, NAN, -7.0
    kept = columns(chunk(list(range(1000)), values)).thinned(most)
    assert len(kept) <= most
    by_step = {step: value for step, value, _ in kept}
    assert by_step[500] == 7.0
    assert math.isnan(by_step[501])
    assert by_step[503] == -7.0
    assert {0, 999} <= by_step.keys()


def test_infinity_is_an_extreme() -> None:
    values = [float(step % 7) for step in range(1000)]
    values[300], values[301] = INFINITY, -INFINITY
    kept = columns(chunk(list(range(1000)), values)).thinned(6)
    assert len(kept) <= 6
    assert {(300, INFINITY), (301, -INFINITY)} <= {(step, value) for step, value, _ in kept}


def test_a_series_without_a_number() -> None:
    kept = columns(chunk(list(range(1000)), [NAN] * 1000)).thinned(32)
    assert [step for step, _, _ in kept] == sorted({step for step, _, _ in kept})
    assert 2 < len(kept) <= 32
    assert (kept[0][0], kept[-1][0]) == (0, 999)


def test_series_stay_apart_and_in_order() -> None:
    chunks = [
        metric_pb2.MetricChunk(key=key, steps=range(at, at + 100), values=[1.0] * 100, times_ms=[1] * 100)
        for key in ("eval_loss", "train_loss")
        for at in (0, 100)
    ]
    rows: Any = [{"key": each.key, "chunk": each.SerializeToString()} for each in chunks]
    series = convert.thinned_series(rows, 4)
    assert [(each.key, [each.points[0].step, each.points[-1].step]) for each in series] == [
        ("eval_loss", [0, 199]),
        ("train_loss", [0, 199]),
    ]
    assert convert.thinned_series(rows, 1000) == convert.series(chunks)
