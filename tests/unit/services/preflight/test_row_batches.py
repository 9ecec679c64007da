"""Padding, packing and grouping: what batches of rows come to, what is advised, and what estimates make of it."""

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.config.v1.optimizations_pb2 import OptimizationFeature
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR
from tunesmith.registry.v1.dataset_statistics_pb2 import DatasetStatistics, TokenBin

from services.chassis.knobs import resolved
from services.preflight import row_batches
from services.preflight.defaults.advise import advise
from services.preflight.defaults.suggestion import Circumstances
from services.preflight.estimate.batch import batch_of
from services.preflight.estimate.steps import total_steps
from services.preflight.predict import workload_of
from services.registry.statistics.lengths import Lengths
from tests.unit.services.preflight.known import LLAMA_2_7B, PICO, changed, codes, configuration, dataset, facts, report, the
from workers.providers.local.provider import LOCAL

PACKING, GROUPING, DYNAMIC = (
    f"OPTIMIZATION_FEATURE_{name}" for name in ("SEQUENCE_PACKING", "LENGTH_GROUPING", "DYNAMIC_PADDING")
)
SPREAD = random.Random(4).choices(range(20, 400), k=3000)


def counted(lengths: list[int]) -> DatasetStatistics:
    found = Lengths()
    for length in lengths:
        found.add(length)
    longest = max(lengths)
    mean = sum(lengths) / len(lengths)
    return DatasetStatistics(
        token_histogram=found.histogram(longest), max_tokens=longest, mean_tokens=mean, p99_tokens=found.percentile(0.99)
    )


def test_a_sample_is_spread_as_the_histogram_is() -> None:
    sampled = row_batches.sampled_lengths(counted(SPREAD), 512)
    assert len(sampled) == row_batches.MOST_SAMPLED
    assert sampled == sorted(sampled)
    assert sum(sampled) / len(sampled) == pytest.approx(sum(SPREAD) / len(SPREAD), rel=0.02)
    assert max(row_batches.sampled_lengths(counted(SPREAD), 100)) == 100
    few = DatasetStatistics(token_histogram=[TokenBin(lower=5, upper=6, row_count=3), TokenBin(lower=9, upper=10, row_count=1)])
    assert row_batches.sampled_lengths(few, 512) == [5, 5, 5, 9]
    assert row_batches.sampled_lengths(None, 512) == row_batches.sampled_lengths(DatasetStatistics(), 512) == []


def test_the_share_of_padding_is_that_of_batches_drawn_at_random() -> None:
    draw = random.Random(1)
    computed = sum(8 * max(draw.choices(SPREAD, k=8)) for _ in range(20_000))
    expected = 1 - 8 * 20_000 * sum(SPREAD) / len(SPREAD) / computed
    assert row_batches.padding_share(sorted(SPREAD), 8) == pytest.approx(expected, abs=0.01)
    assert row_batches.padding_share(sorted(SPREAD), 1) == pytest.approx(0)
    assert row_batches.padding_share([7] * 10, 8) == pytest.approx(0)


@pytest.mark.parametrize(
    ("lengths", "row_tokens", "expected"),
    [([5, 5], 10, 2.0), ([6, 5], 10, 1.0), ([6, 5, 4, 5], 10, 2.0), ([10, 1], 10, 1.0), ([1] * 30, 10, 10.0)],
)
def test_rows_are_packed_by_best_fit(lengths: list[int], row_tokens: int, expected: float) -> None:
    assert row_batches.documents_per_row(lengths, row_tokens) == expected


def advised(statistics: DatasetStatistics | None, model: Any = PICO, **sections: Any) -> tuple[JobConfiguration, dict[str, str]]:
    known = {"model": {"base_model": "pico"}, "datasets": {"training_file_id": "rows"}, **sections}
    draft = ParseDict(known, JobConfiguration())
    rows = dataset(row_count=3000)
    circumstances = Circumstances(model, rows, statistics, None, LOCAL, None, 1, lambda _: True)
    return draft, {one.path: one.reason for one in advise(circumstances, draft)}


def enabled(draft: JobConfiguration) -> list[str]:
    return [OptimizationFeature.Name(feature) for feature in draft.optimizations.enabled]


def test_rows_of_many_lengths_are_packed_with_the_reason_in_numbers() -> None:
    draft, reasons = advised(counted(SPREAD))
    assert enabled(draft) == [PACKING]
    share = row_batches.padding_share(row_batches.sampled_lengths(counted(SPREAD), 512), 8)
    assert f"batches of 8 rows would be {share:.0%} padding" in reasons["optimizations.enabled"]
    # A step averages over about as many rows of the dataset as it would have without packing.
    documents = row_batches.documents_per_row(SPREAD[:1000], 512)
    assert draft.schedule.batch_size * draft.schedule.gradient_accumulation * documents == pytest.approx(32, rel=0.3)
    assert f"packed rows of about {documents:.0f} each" in reasons["schedule.batch_size"]


def test_rows_of_equal_length_are_left_alone() -> None:
    assert enabled(advised(counted([200] * 3000))[0]) == [DYNAMIC]
    assert enabled(advised(None)[0]) == [DYNAMIC]


@pytest.mark.parametrize(
    "why",
    [
        # Packed rows would change what somebody's batch size means.
        {"schedule": {"batch_size": 4}},
        # One packed row would average over more rows than a step should.
        {"schedule": {"sequence_length": 65536}},
    ],
)
def test_rows_are_grouped_where_packing_does_not_suit(why: dict[str, Any]) -> None:
    # Without positions that end, so that a long sequence is not cut.
    model = changed(PICO, architecture={"max_position_count": 0})
    draft, reasons = advised(counted(SPREAD), model, **why)
    assert enabled(draft) == [GROUPING]
    assert "rows of about the same length" in reasons["optimizations.enabled"]


def test_a_model_that_can_not_be_packed_is_grouped_and_said_so() -> None:
    capped = changed(PICO, configuration_json=json.dumps({"model_type": "gemma2", "attn_logit_softcapping": 50.0}))
    assert enabled(advised(counted(SPREAD), capped)[0]) == [GROUPING]
    made = configuration(optimizations={"enabled": [PACKING, "OPTIMIZATION_FEATURE_OPTIMIZER_8BIT"]})
    found = the(report(made, capped), "ROWS_NOT_PACKABLE")
    assert found.severity == SEVERITY_ERROR
    assert "caps its scores" in found.message
    (edit,) = found.fix.edits
    assert [value.string_value for value in edit.value.list_value.values] == [GROUPING, "OPTIMIZATION_FEATURE_OPTIMIZER_8BIT"]
    assert "ROWS_NOT_PACKABLE" not in codes(report(made, changed(PICO, configuration_json=json.dumps({"model_type": "llama"}))))
    assert "ROWS_NOT_PACKABLE" not in codes(report(made, PICO))


def test_steps_tokens_and_memory_follow_packing_and_grouping() -> None:
    statistics = counted(SPREAD)

    def workload(*features: str) -> Any:
        made = configuration(
            schedule={"batch_size": 2, "sequence_length": 512, "epochs": 1}, optimizations={"enabled": list(features)}
        )
        known = facts(made, PICO, training_dataset=dataset(row_count=3000))
        found = workload_of(replace(known, configuration=resolved(made), statistics=statistics), None)
        assert found is not None
        return found

    dynamic, grouped, packed = workload(DYNAMIC), workload(GROUPING), workload(PACKING)
    documents = row_batches.documents_per_row(SPREAD[:1000], 512)
    assert total_steps(dynamic) == total_steps(grouped) == 1500
    assert total_steps(packed) == pytest.approx(1500 / documents, rel=0.02)
    # The longest batch: of the longest rows, or of full sequences.
    assert (dynamic.row_tokens, grouped.row_tokens, packed.row_tokens) == (max(SPREAD), max(SPREAD), 512)
    assert (dynamic.masked, packed.masked) == (True, False)

    shares = {
        name: 1 - batch_of(one).trained_tokens / batch_of(one).all_tokens
        for name, one in {"dynamic": dynamic, "grouped": grouped, "packed": packed}.items()
    }
    assert shares["dynamic"] > 0.2
    assert shares["grouped"] == pytest.approx(0, abs=0.01)
    assert shares["packed"] == pytest.approx(0, abs=0.01)
    assert batch_of(packed).trained_tokens == pytest.approx(2 * 512, rel=0.03)


def test_the_known_model_is_no_special_case() -> None:
    assert enabled(advised(counted(SPREAD), LLAMA_2_7B)[0]) == [PACKING]
