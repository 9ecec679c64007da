"""Nothing in the configuration is forgotten: the tables are held against the descriptors."""

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from tunesmith.config.v1 import method_pb2, model_pb2, optimizations_pb2
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.registry.v1 import dataset_pb2

from services.chassis.knobs import walk
from workers.providers import PROVIDERS, local
from workers.providers.local_datasets import SHAPES, UNUSABLE
from workers.providers.local_plan import DTYPES

LEAF_COUNT = 42


def test_every_leaf_acts_or_is_named_as_not_acting() -> None:
    leaves = [knob.path for knob in walk(JobConfiguration.DESCRIPTOR)]
    assert len(leaves) == LEAF_COUNT
    tables = [*local.ACTS, *local.DROPS, *local.REFUSALS]
    assert len(tables) == len(set(tables))
    assert sorted(tables) == sorted(leaves)
    assert (len(local.ACTS), len(local.DROPS), len(local.REFUSALS)) == (30, 10, 2)


@pytest.mark.parametrize(
    ("enum", "acting", "named", "count"),
    [
        (method_pb2.TrainingMethod, local.SENT_METHODS, local.REFUSED_METHODS, 4),
        (method_pb2.TrainingObjective, local.SENT_OBJECTIVES, local.REFUSED_OBJECTIVES, 2),
        (model_pb2.ModelPrecision, DTYPES, local.REFUSED_PRECISIONS, 6),
        (optimizations_pb2.OptimizationFeature, local.SENT_OPTIMIZATIONS, local.DROPPED_OPTIMIZATIONS, 8),
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
    assert len(dataset_pb2.DatasetFormat.values()) == 10
    assert set(SHAPES) | set(UNUSABLE) == set(dataset_pb2.DatasetFormat.values())
    assert not set(SHAPES) & set(UNUSABLE)


def test_the_provider_says_what_its_tables_say() -> None:
    assert list(PROVIDERS) == [PROVIDERS["local"].id] == ["local"]
    can = PROVIDERS["local"].capabilities
    assert set(can.methods) == {method_pb2.TRAINING_METHOD_FULL, method_pb2.TRAINING_METHOD_LORA}
    assert set(can.objectives) == {method_pb2.TRAINING_OBJECTIVE_SFT}
    assert set(can.precisions) == {model_pb2.MODEL_PRECISION_FP32, model_pb2.MODEL_PRECISION_BF16}
    assert set(can.optimizations) == set(local.SENT_OPTIMIZATIONS)
    assert set(can.dataset_formats) == set(SHAPES)


@pytest.mark.parametrize("reason", [*local.REFUSED_METHODS.values(), *local.REFUSED_PRECISIONS.values(), *UNUSABLE.values()])
def test_a_refusal_says_what_to_do(reason: str) -> None:
    assert any(word in reason for word in ("use ", "upload ")), reason
