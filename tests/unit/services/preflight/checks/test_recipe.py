"""What a recipe needs of model, dataset and configuration."""

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR, SEVERITY_NOTE, SEVERITY_WARNING
from tunesmith.registry.v1.recipe_pb2 import Recipe

from tests.unit.services.preflight.known import PICO, changed, codes, configuration, dataset, older_local, report, the
from workers.providers import PROVIDERS


def recipe(**fields: object) -> Recipe:
    return ParseDict({"display_name": "the recipe", "active": True, "quantized_base_allowed": True, **fields}, Recipe())


LORA = {"method": {"type": "TRAINING_METHOD_LORA", "lora_config": {}}}
UNMET = {
    "RECIPE_INACTIVE": ({"active": False}, SEVERITY_NOTE),
    "RECIPE_NEEDS_WIDER_MODEL": ({"min_hidden_size": 256}, SEVERITY_ERROR),
    "RECIPE_FAMILY_UNTRIED": ({"supported_families": ["gpt2", "qwen3"]}, SEVERITY_WARNING),
    "RECIPE_MODALITY_DIFFERS": ({"modality": "MODALITY_VISION"}, SEVERITY_ERROR),
    "RECIPE_DATASET_FORMAT": ({"dataset_formats": ["DATASET_FORMAT_PREFERENCE"]}, SEVERITY_ERROR),
    "RECIPE_METHOD_DIFFERS": ({"defaults": {"method": {"type": "TRAINING_METHOD_FULL"}}}, SEVERITY_NOTE),
    "RECIPE_FIELD_MISSING": ({"required_fields": ["datasets.validation_file_id"]}, SEVERITY_ERROR),
}


@pytest.mark.parametrize("code", UNMET)
def test_a_need_that_is_not_met(code: str) -> None:
    fields, severity = UNMET[code]
    found = report(model=PICO, recipe=recipe(**fields))
    assert the(found, code).severity == severity
    assert [one for one in codes(found) if one.startswith("RECIPE")] == [code]


def test_a_recipe_that_suits() -> None:
    fine = recipe(
        defaults=LORA,
        min_hidden_size=64,
        supported_families=["llama"],
        modality="MODALITY_TEXT",
        dataset_formats=["DATASET_FORMAT_ALPACA"],
        required_fields=["datasets.training_file_id"],
    )
    assert [code for code in codes(report(model=PICO, recipe=fine)) if code.startswith("RECIPE")] == []


def test_original_weights() -> None:
    found = report(model=changed(PICO, quantized=True), recipe=recipe(quantized_base_allowed=False))
    assert the(found, "RECIPE_REFUSES_QUANTIZED").severity == SEVERITY_ERROR


def test_a_missing_field_with_a_default_is_filled_in() -> None:
    found = the(report(model=PICO, recipe=recipe(required_fields=["schedule.epochs"])), "RECIPE_FIELD_MISSING")
    assert (found.field_path, found.fix.edits[0].value.number_value) == ("schedule.epochs", 3)


def test_the_recipes_method_is_offered_where_it_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    full = recipe(defaults={"method": {"type": "TRAINING_METHOD_FULL"}})
    found = the(report(configuration(), PICO, recipe=full, training_dataset=dataset()), "RECIPE_METHOD_DIFFERS")
    assert [edit.field_path for edit in found.fix.edits] == ["method.type", "method.lora_config"]
    refused = recipe(defaults={"method": {"type": "TRAINING_METHOD_PROMPT_TUNING", "prompt_tuning_config": {}}})
    assert the(report(model=PICO, recipe=refused), "RECIPE_METHOD_DIFFERS").HasField("fix")
    monkeypatch.setitem(PROVIDERS, "local", older_local())
    assert not the(report(model=PICO, recipe=refused), "RECIPE_METHOD_DIFFERS").HasField("fix")
