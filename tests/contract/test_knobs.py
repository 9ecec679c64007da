"""What must hold for every field of a JobConfiguration, walked from the descriptors so that a new knob can't forget it."""

import math

import pytest
from google.protobuf.descriptor import FieldDescriptor
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.options.v1 import field_pb2

from services.chassis.knobs import KnobField, native, resolve_defaults, walk
from services.chassis.validation import check

KNOB_COUNT = 69
KNOBS = list(walk(JobConfiguration.DESCRIPTOR))
NUMBERS = [knob for knob in KNOBS if knob.rules.WhichOneof("type") in ("int32", "double")]
ENUMS = [knob for knob in KNOBS if knob.field.enum_type is not None]

# The ranges and defaults that the project was asked for; None where nothing is filled in.
ASKED_RANGES: dict[str, tuple[float, float, float | None]] = {
    "schedule.epochs": (1, 20, 3),
    "schedule.batch_size": (1, 64, 4),
    "schedule.sequence_length": (512, 33000, 2048),
    "schedule.gradient_accumulation": (1, 16, 1),
    "schedule.checkpoints": (0, 10, 1),
    "schedule.evaluations": (0, 20, 1),
    "optimizer.learning_rate": (0, 1, 0.00001),
    "optimizer.weight_decay": (0, 1, 0),
    "optimizer.max_gradient_norm": (0, 10, 1),
    "optimizer.scheduler.warmup_ratio": (0, 1, 0),
    "optimizer.scheduler.min_lr_ratio": (0, 1, 0),
    "optimizer.scheduler.cycles": (0.1, 2, None),
    "method.lora_config.rank": (1, 256, 8),
    "method.lora_config.alpha": (1, 512, 16),
    "method.lora_config.dropout": (0, 1, 0),
}
# A rate of zero would train nothing, so its minimum is the one that is not allowed itself.
EXCLUSIVE_MINIMA = {"optimizer.learning_rate"}


def test_the_walk_found_them_all() -> None:
    assert len(KNOBS) == KNOB_COUNT
    assert len(NUMBERS) == 31
    assert len(ENUMS) == 10
    assert len(ASKED_RANGES) == 15


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.path)
class TestEveryKnob:
    def test_has_a_label_and_a_help_text(self, knob: KnobField) -> None:
        assert knob.knob.label
        assert knob.knob.help.endswith(".")

    def test_knows_unset_from_zero(self, knob: KnobField) -> None:
        assert knob.field.has_presence or knob.field.is_repeated

    def test_its_default_fits_its_type(self, knob: KnobField) -> None:
        kind = knob.knob.default_value.WhichOneof("kind")
        if kind is not None:
            allowed = {
                FieldDescriptor.CPPTYPE_STRING: "text",
                FieldDescriptor.CPPTYPE_ENUM: "text",
                FieldDescriptor.CPPTYPE_BOOL: "flag",
            }
            assert kind == allowed.get(knob.field.cpp_type, "number")
            assert native(knob.field, knob.knob.default_value) is not None


@pytest.mark.parametrize("knob", NUMBERS, ids=lambda knob: knob.path)
class TestEveryNumber:
    def test_is_bounded_on_both_sides(self, knob: KnobField) -> None:
        low, high, _ = _range(knob)
        assert math.isfinite(low)
        assert math.isfinite(high)
        assert low < high

    def test_is_finite(self, knob: KnobField) -> None:
        if knob.rules.WhichOneof("type") == "double":
            assert knob.rules.double.finite

    def test_its_recommended_range_lies_in_the_hard_one(self, knob: KnobField) -> None:
        if knob.knob.HasField("recommended"):
            low, high, _ = _range(knob)
            recommended = knob.knob.recommended
            assert low <= recommended.min < recommended.max <= high

    def test_its_default_lies_in_the_hard_range(self, knob: KnobField) -> None:
        if knob.knob.HasField("default_value"):
            low, high, exclusive = _range(knob)
            default = knob.knob.default_value.number
            assert low < default <= high if exclusive else low <= default <= high


@pytest.mark.parametrize("knob", ENUMS, ids=lambda knob: knob.path)
class TestEveryEnum:
    def test_takes_no_unknown_number_and_no_unspecified(self, knob: KnobField) -> None:
        rules = knob.rules.repeated.items.enum if knob.field.is_repeated else knob.rules.enum
        assert rules.defined_only
        assert list(rules.not_in) == [0]

    def test_each_value_has_a_choice(self, knob: KnobField) -> None:
        assert knob.field.enum_type is not None
        values = [value for value in knob.field.enum_type.values if value.number != 0]
        assert len(values) >= 2
        for value in values:
            choice = value.GetOptions().Extensions[field_pb2.choice]
            assert choice.label, value.name
            assert choice.help.endswith("."), value.name


def test_a_configuration_of_all_defaults_is_valid() -> None:
    configuration = JobConfiguration()
    configuration.model.base_model = "tunesmith/pico"
    configuration.datasets.training_file_id = "rows"
    configuration.method.type = 2
    configuration.method.lora_config.SetInParent()
    resolve_defaults(configuration)
    check(configuration)
    assert configuration.schedule.epochs == 3
    assert configuration.method.lora_config.rank == 8


@pytest.mark.parametrize("path", ASKED_RANGES)
def test_the_ranges_are_those_that_were_asked_for(path: str) -> None:
    knob = next(knob for knob in KNOBS if knob.path == path)
    low, high, exclusive = _range(knob)
    default = knob.knob.default_value.number if knob.knob.HasField("default_value") else None
    assert (low, high, default) == ASKED_RANGES[path]
    assert exclusive == (path in EXCLUSIVE_MINIMA)


def _range(knob: KnobField) -> tuple[float, float, bool]:
    """Lowest and highest value of a number, and whether the lowest itself is refused."""
    rules = getattr(knob.rules, str(knob.rules.WhichOneof("type")))
    exclusive = bool(rules.HasField("gt"))
    return (rules.gt if exclusive else rules.gte), rules.lte, exclusive
