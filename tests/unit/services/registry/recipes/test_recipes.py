"""Recipes through the service's door."""

import asyncio
from typing import Any

import grpc
import pytest
from tunesmith.registry.v1 import base_model_pb2, recipe_pb2
from tunesmith.registry.v1 import recipe_service_pb2 as messages

from tests.unit.services.registry.conftest import failure, reason_of, violations_of
from tests.unit.services.registry.recipes.conftest import Room

LORA: dict[str, Any] = {
    "display_name": "LoRA",
    "description": "the usual choice",
    "type": "RECIPE_TYPE_LORA",
    "defaults": {"method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 16}}, "optimizer": {"learning_rate": 2e-4}},
    "required_fields": ["model.base_model", "datasets.training_file_id"],
    "optional_fields": ["method.lora_config.rank", "method"],
    "supported_families": ["llama"],
    "dataset_formats": ["DATASET_FORMAT_MESSAGES"],
    "quantized_base_allowed": True,
    "min_hidden_size": 64,
    "recommended": True,
}


def changed(**others: Any) -> dict[str, Any]:
    return {**LORA, **others}


async def test_a_recipe_is_kept_as_it_was_said(room: Room) -> None:
    recipe = await room.create(LORA)
    assert (recipe.project, recipe.owner, recipe.active) == ("default", "local", True)
    assert (recipe.modality, recipe.type) == (base_model_pb2.MODALITY_TEXT, recipe_pb2.RECIPE_TYPE_LORA)
    assert recipe.defaults.method.lora_config.rank == 16
    assert not recipe.defaults.HasField("model") and not recipe.defaults.HasField("schedule")
    assert list(recipe.required_fields) == LORA["required_fields"] and list(recipe.optional_fields) == LORA["optional_fields"]
    assert (recipe.min_hidden_size, recipe.quantized_base_allowed, recipe.recommended) == (64, True, True)
    assert recipe.create_time == recipe.update_time
    assert await room.get(recipe.id) == await room.get("LoRA") == recipe
    error = await failure(room.get("nothing"))
    assert error.code() == grpc.StatusCode.NOT_FOUND and "GET /v1/recipes lists them" in error.details()


LORA_METHOD = {"type": "TRAINING_METHOD_LORA", "lora_config": {}}
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "a model": (changed(defaults={"model": {"base_model": "a"}}), "recipe.defaults.model.base_model", "chosen for each job"),
    "a dataset": (
        changed(defaults={"datasets": {"training_file_id": "a"}}), "recipe.defaults.datasets.training_file_id", "each job"
    ),
    "another dataset": (
        changed(defaults={"datasets": {"validation_file_id": "a"}}), "recipe.defaults.datasets.validation_file_id", "each job"
    ),
    "a number out of range": (
        changed(defaults={"schedule": {"epochs": -1}}), "recipe.defaults.schedule.epochs", "greater than or equal to 1"
    ),
    "a rate out of range": (
        changed(defaults={"optimizer": {"learning_rate": 2.0}}), "recipe.defaults.optimizer.learning_rate", "than or equal to 1"
    ),
    "what has no meaning together": (
        changed(type="RECIPE_TYPE_FULL", defaults={"method": {"type": "TRAINING_METHOD_FULL", "lora_config": {}}}),
        "recipe.defaults.method",
        "lora_config only has a meaning",
    ),
    "a precision that cannot be trained": (
        changed(defaults={"model": {"precision": "MODEL_PRECISION_INT4"}, "method": LORA_METHOD}), "recipe.defaults", "QLORA"
    ),
    "another method than its type": (
        changed(type="RECIPE_TYPE_QLORA", defaults={"method": LORA_METHOD}),
        "recipe.defaults.method.type",
        "set it to TRAINING_METHOD_QLORA",
    ),
    "another objective than its type": (
        changed(defaults={"method": {**LORA_METHOD, "objective": "TRAINING_OBJECTIVE_DPO"}}),
        "recipe.defaults.method.objective",
        "TRAINING_OBJECTIVE_SFT",
    ),
    "a field that is none": (
        changed(required_fields=["model.base_model", "method.lora_config.rang"]),
        "recipe.required_fields[1]",
        "did you mean method.lora_config.rank?",
    ),
    "a field of nothing": (changed(optional_fields=["zzz"]), "recipe.optional_fields[0]", "GET /v1/parameters"),
    "no name": (changed(display_name=""), "recipe.display_name", "at least 1"),
    "a name with a line feed": (changed(display_name="a\n"), "recipe.display_name", "control character"),
    "no type": (changed(type="RECIPE_TYPE_UNSPECIFIED"), "recipe.type", "is no value of this enum"),
}  # fmt: skip


def test_there_are_wrong_ones() -> None:
    assert len(WRONG) == 14


@pytest.mark.parametrize("case", WRONG)
async def test_what_no_job_could_use_is_refused_with_its_path(room: Room, case: str) -> None:
    content, field, text = WRONG[case]
    found = violations_of(await failure(room.create(content)))
    assert field in dict(found) and text in dict(found)[field]
    assert await room.listed() == []


async def test_everything_wrong_is_told_at_once(room: Room) -> None:
    content = changed(defaults={"model": {"base_model": "a"}, "schedule": {"epochs": 99}}, required_fields=["a"])
    assert len(violations_of(await failure(room.create(content)))) == 3


async def test_a_partial_configuration_is_enough(room: Room) -> None:
    """Rules about what is missing hold for jobs, not for recipes."""
    for index, defaults in enumerate(({}, {"schedule": {"epochs": 2}}, {"model": {"precision": "MODEL_PRECISION_BF16"}})):
        await room.create(changed(display_name=str(index), defaults=defaults))
    assert await room.listed() == ["2", "1", "0"]


async def test_a_name_is_given_once_and_free_again_after_deletion(room: Room) -> None:
    recipe = await room.create(LORA)
    error = await failure(room.create(LORA))
    assert reason_of(error) == "DISPLAY_NAME_TAKEN" and recipe.id in error.details()
    other = await room.create(changed(display_name="other"))
    assert reason_of(await failure(room.update(other.id, LORA))) == "DISPLAY_NAME_TAKEN"
    for _ in range(2):
        await room.delete(recipe.id)
    assert await room.listed() == ["other"]
    assert (await failure(room.get(recipe.id))).code() == grpc.StatusCode.NOT_FOUND
    assert (await failure(room.delete("nothing"))).code() == grpc.StatusCode.NOT_FOUND
    assert (await room.create(LORA)).id != recipe.id


async def test_an_update_replaces_everything(room: Room) -> None:
    recipe = await room.create(LORA)
    content = {"display_name": "LoRA", "type": "RECIPE_TYPE_FULL", "active": False}
    after = await room.update(recipe.id, content, "u")
    assert (after.id, after.create_time) == (recipe.id, recipe.create_time)
    assert (after.description, len(after.required_fields), after.min_hidden_size, after.active) == ("", 0, 0, False)
    assert not after.defaults.ListFields() and not after.recommended
    assert await room.get(recipe.id) == after == await room.update(recipe.id, content, "u")
    assert reason_of(await failure(room.update(recipe.id, LORA, "u"))) == "REQUEST_ID_REUSED"
    assert (await failure(room.update("nothing", LORA))).code() == grpc.StatusCode.NOT_FOUND
    assert violations_of(await failure(room.update(recipe.id, changed(defaults={"schedule": {"epochs": 0}}))))
    assert await room.get(recipe.id) == after


async def test_a_repeated_request_is_answered_with_the_first_recipe(room: Room) -> None:
    made = await asyncio.gather(*(room.create(LORA, "one") for _ in range(4)))
    assert len({recipe.id for recipe in made}) == 1
    assert reason_of(await failure(room.create(changed(display_name="b"), "one"))) == "REQUEST_ID_REUSED"
    assert await room.listed() == ["LoRA"]


async def test_lists_are_filtered_and_paged(room: Room) -> None:
    await room.create(LORA)
    await room.create(changed(display_name="off", active=False))
    await room.create(
        {"display_name": "vision", "type": "RECIPE_TYPE_VISION_LORA", "modality": "MODALITY_VISION", "defaults": {}}
    )
    assert await room.listed() == ["vision", "off", "LoRA"]
    assert await room.listed(active_only=True) == ["vision", "LoRA"]
    assert await room.listed(type=recipe_pb2.RECIPE_TYPE_LORA) == ["off", "LoRA"]
    assert await room.listed(modality=base_model_pb2.MODALITY_VISION) == ["vision"]
    first = await room.stub.ListRecipes(messages.ListRecipesRequest(page_size=2))
    assert await room.listed(page_size=2, page_token=first.next_page_token) == ["LoRA"]
