"""Nothing in the configuration is forgotten: the tables are held against the descriptors."""

from typing import Any

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from tunesmith.config.v1 import method_pb2, model_pb2, optimizations_pb2
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.registry.v1 import dataset_pb2

from services.chassis.knobs import walk
from workers.providers import PROVIDERS
from workers.providers.local import method, model, optimizations
from workers.providers.local.datasets import NEEDED, READ, SHAPES, refuse_dataset
from workers.providers.local.provider import RULES
from workers.providers.provider import DROPPED, REFUSED, NeverActs

LEAF_COUNT = 69


def test_every_leaf_acts_or_is_named_as_not_acting() -> None:
    leaves = [knob.path for knob in walk(JobConfiguration.DESCRIPTOR)]
    assert len(leaves) == LEAF_COUNT
    assert sorted(RULES) == sorted(leaves)
    never = [rule.action for rule in RULES.values() if isinstance(rule, NeverActs)]
    assert (len(RULES) - len(never), never.count(DROPPED), never.count(REFUSED)) == (68, 1, 0)


@pytest.mark.parametrize(
    ("enum", "acting", "named", "count"),
    [
        (method_pb2.TrainingMethod, method.SENT_METHODS, method.REFUSED_METHODS, 6),
        (method_pb2.TrainingObjective, method.SENT_OBJECTIVES, method.REFUSED_OBJECTIVES, 5),
        (model_pb2.ModelPrecision, model.SENT_PRECISIONS, model.REFUSED_PRECISIONS, 6),
        (optimizations_pb2.OptimizationFeature, optimizations.SENT_OPTIMIZATIONS, optimizations.DROPPED_OPTIMIZATIONS, 9),
    ],
)
def test_every_value_acts_or_is_named_as_not_acting(
    enum: EnumTypeWrapper, acting: dict[int, str], named: dict[int, str], count: int
) -> None:
    values = {number for number in enum.values() if number}
    assert len(values) == count
    assert set(acting) | set(named) == values
    assert not set(acting) & set(named)


def test_every_dataset_format_is_read_or_refused() -> None:
    formats: Any = dataset_pb2.DatasetFormat.values()
    assert len(formats) == 11
    assert set(READ) == set(NEEDED) == set(method.SENT_OBJECTIVES)
    for objective, shapes in READ.items():
        for dataset_format in formats:
            refusals = refuse_dataset(dataset_format, None, objective=objective)
            assert [refusal.action for refusal in refusals] == ([] if SHAPES.get(dataset_format) in shapes else [REFUSED])


def test_the_provider_says_what_its_tables_say() -> None:
    assert [provider.id for provider in PROVIDERS.values()] == list(PROVIDERS) == ["local", "axolotl", "unsloth"]
    can = PROVIDERS["local"].capabilities
    assert set(can.methods) == set(method.SENT_METHODS)
    assert set(can.objectives) == set(method.SENT_OBJECTIVES)
    assert set(can.precisions) == set(model.SENT_PRECISIONS)
    assert set(can.optimizations) == set(optimizations.SENT_OPTIMIZATIONS)
    assert set(can.dataset_formats) == set(SHAPES)


@pytest.mark.parametrize("reason", [*method.REFUSED_METHODS.values(), *model.REFUSED_PRECISIONS.values()])
def test_a_refusal_says_what_to_do(reason: str) -> None:
    assert any(word in reason for word in ("use ", "upload ")), reason
