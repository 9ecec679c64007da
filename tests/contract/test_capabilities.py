"""What a provider says it can do is what becomes of a configuration that asks for it."""

from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.config.v1 import method_pb2
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.provider.v1.lowering_pb2 import FieldLowering
from tunesmith.provider.v1.provider_pb2 import Limitation

from services.chassis.knobs import KnobField, resolved, walk
from workers.providers import PROVIDERS
from workers.providers.local import method, model, optimizations
from workers.providers.local.provider import LOCAL
from workers.providers.provider import DROPPED, LISTED_CHOICES, REFUSED, NeverActs, Provider

KNOBS = {knob.path: knob for knob in walk(JobConfiguration.DESCRIPTOR)}
LISTED_VALUE_COUNT = 6 + 5 + 6 + 9
# Values that don't act, and fields that never do.
LIMITATION_COUNTS = {"local": 1 + 1, "axolotl": 3 + 2 + 18, "unsloth": 3 + 4 + 1 + 2 + 37}
NEVER_COUNTS = {"local": 1, "axolotl": 18, "unsloth": 37}
SMALLEST: dict[str, Any] = {
    "model": {"base_model": "pico"},
    "datasets": {"training_file_id": "rows"},
    "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {}},
}


def _values(path: str) -> list[str]:
    return [value.name for value in KNOBS[path].field.enum_type.values if value.number]


LISTED = [(provider, path, value) for provider in PROVIDERS.values() for path in LISTED_CHOICES for value in _values(path)]
LIMITATIONS = [
    pytest.param(provider, limitation, id=f"{name}-{limitation.field_path}-{limitation.value}")
    for name, provider in PROVIDERS.items()
    for limitation in provider.capabilities.limitations
]


def test_no_value_and_no_limitation_got_lost() -> None:
    assert len(LISTED) == LISTED_VALUE_COUNT * len(PROVIDERS)
    assert {name: len(provider.capabilities.limitations) for name, provider in PROVIDERS.items()} == LIMITATION_COUNTS


@pytest.mark.parametrize(("provider", "path", "value"), LISTED)
def test_a_value_acts_or_has_one_limitation_with_a_reason(provider: Provider, path: str, value: str) -> None:
    number = KNOBS[path].field.enum_type.values_by_name[value].number
    acts = number in getattr(provider.capabilities, LISTED_CHOICES[path])
    limitations = [each for each in provider.capabilities.limitations if (each.field_path, each.value) == (path, value)]
    assert len(limitations) == (0 if acts else 1)
    (lowered,) = [each for each in _lower(provider, path, value) if each.field_path.partition("[")[0] == path]
    assert (lowered.action in (DROPPED, REFUSED)) == (not acts)
    for limitation in limitations:
        assert lowered.action == limitation.action
        assert lowered.detail.endswith(limitation.reason)


@pytest.mark.parametrize(("provider", "limitation"), LIMITATIONS)
def test_a_limitation_is_what_happens_to_its_field(provider: Provider, limitation: Limitation) -> None:
    knob = KNOBS[limitation.field_path]
    assert limitation.action in (DROPPED, REFUSED)
    assert len(limitation.reason.split()) > 4
    assert not limitation.value or limitation.value in _values(limitation.field_path)
    lowered = _lower(provider, limitation.field_path, limitation.value or _some_value(knob))
    told = [each for each in lowered if each.field_path.startswith(limitation.field_path)]
    assert told
    assert {each.action for each in told} == {limitation.action}
    assert all(each.detail.endswith(limitation.reason) for each in told)


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_a_field_without_a_limitation_acts_somewhere(provider: Provider) -> None:
    limited = {each.field_path for each in provider.capabilities.limitations if not each.value}
    assert limited == {path for path in KNOBS if isinstance(provider.rules[path], NeverActs)}
    assert len(limited) == NEVER_COUNTS[provider.id]


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_a_field_that_was_added_a_moment_ago_is_dropped_by_name(provider: Provider) -> None:
    older = replace(provider, rules={path: rule for path, rule in provider.rules.items() if path != "schedule.seed"})
    (told,) = [each for each in _lower(older, "schedule.seed", 7) if each.field_path == "schedule.seed"]
    assert (told.action, told.detail) == (DROPPED, f"{provider.id} does not use this field; remove it")
    (limitation,) = [each for each in older.capabilities.limitations if each.field_path == "schedule.seed"]
    assert (limitation.action, limitation.reason) == (told.action, told.detail)
    # Nobody asked for the default: it is no news.
    assert "schedule.seed" not in {each.field_path for each in _lower(older, "schedule.epochs", 1)}


@pytest.mark.parametrize(
    ("table", "path", "value"),
    [
        (method.SENT_METHODS, "method.type", "TRAINING_METHOD_QLORA"),
        (method.SENT_OBJECTIVES, "method.objective", "TRAINING_OBJECTIVE_DPO"),
        (model.REFUSED_PRECISIONS, "model.precision", "MODEL_PRECISION_FP8"),
        (optimizations.SENT_OPTIMIZATIONS, "optimizations.enabled", "OPTIMIZATION_FEATURE_FUSED_KERNELS"),
    ],
)
def test_a_value_that_was_added_a_moment_ago_does_not_act_and_says_so(
    monkeypatch: pytest.MonkeyPatch, table: dict[int, str], path: str, value: str
) -> None:
    monkeypatch.delitem(table, KNOBS[path].field.enum_type.values_by_name[value].number)
    test_a_value_acts_or_has_one_limitation_with_a_reason(replace(LOCAL), path, value)
    (told,) = [each for each in _lower(LOCAL, path, value) if each.field_path.startswith(path)]
    assert told.detail.endswith("does not know this value yet; use another one")


def _lower(provider: Provider, path: str, value: Any) -> list[FieldLowering]:
    configuration = ParseDict(SMALLEST, JobConfiguration())
    if path.startswith("method.prompt_tuning_config"):
        configuration.method.ClearField("lora_config")
    if value in ("MODEL_PRECISION_INT8", "MODEL_PRECISION_INT4"):
        # Integers only store what QLoRA freezes.
        configuration.method.type = method_pb2.TRAINING_METHOD_QLORA
    section, _, _ = path.partition(".")
    shown = _nested(path, [value] if KNOBS[path].field.is_repeated else value)
    ParseDict(shown, configuration)
    assert configuration.HasField(section)
    return provider.lower(resolved(configuration), configuration)


def _nested(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def _some_value(knob: KnobField) -> Any:
    if knob.field.enum_type is not None:
        return knob.field.enum_type.values[1].name
    values = {
        "string": "some/thing",
        "int32": 1,
        "double": 0.5,
        "bool": True,
        "message": {"local": {"threads": 4}, "together": {"n": 1}},
    }
    return values[_kind(knob)]


def _kind(knob: KnobField) -> str:
    if knob.field.message_type is not None:
        return "message"
    # A yes or no has no rule.
    return str(knob.rules.WhichOneof("type") or "bool")
