"""Recipe suggestions: what suits goes first, what doesn't says why, and the least memory is estimated."""

import pytest
from tunesmith.config.v1.hardware_pb2 import Hardware
from tunesmith.preflight.v1.preflight_service_pb2 import SuggestRecipesRequest, SuggestRecipesResponse

from services.chassis.errors import InvalidArgument
from services.preflight.usecases.recipes import suggest_recipes
from tests.unit.services.preflight.known import LLAMA_2_7B, PICO, changed, dataset
from tests.unit.services.preflight.sources import KnownSources

GIB = 1024**3


async def _suggest(sources: KnownSources, rows: str = "rows", **fields: object) -> SuggestRecipesResponse:
    request = SuggestRecipesRequest(base_model="llama", training_file_id=rows, **fields)  # type: ignore[arg-type]
    return await suggest_recipes(sources, request)


async def test_the_first_suits_and_only_it_is_recommended() -> None:
    found = (await _suggest(KnownSources(LLAMA_2_7B))).recipes
    assert [one.recipe.id for one in found] == ["lora", "qlora", "full", "dpo"]
    assert [one.recommended for one in found] == [True, False, False, False]
    assert found[0].suitable
    assert not found[-1].suitable
    assert all(one.reason for one in found)


async def test_the_least_memory_is_estimated_and_less_than_the_recipe_takes() -> None:
    found = {one.recipe.id: one for one in (await _suggest(KnownSources(LLAMA_2_7B))).recipes}
    assert 12 * GIB < found["lora"].minimum_device_bytes < found["full"].minimum_device_bytes
    assert found["qlora"].minimum_device_bytes < found["lora"].minimum_device_bytes
    assert found["lora"].minimum_device_bytes < found["lora"].memory.peak_bytes


async def test_no_dataset_is_needed_to_choose_a_recipe() -> None:
    found = (await _suggest(KnownSources(LLAMA_2_7B), rows="")).recipes
    assert found[0].suitable
    assert not any(one.field_path == "datasets.training_file_id" for recipe in found for one in recipe.findings)


async def test_a_quantized_model_is_not_trained_in_full() -> None:
    found = {one.recipe.id: one for one in (await _suggest(KnownSources(changed(PICO, quantized=True)))).recipes}
    assert not found["full"].suitable
    assert "quantized" in found["full"].reason


async def test_pairs_are_for_dpo_alone() -> None:
    found = {one.recipe.id: one for one in (await _suggest(KnownSources(PICO, dataset("PREFERENCE")))).recipes}
    assert not found["lora"].suitable
    assert "RECIPE_DATASET_FORMAT" not in [one.code for one in found["dpo"].findings]


async def test_how_a_private_model_is_come_by_is_not_the_recipes_doing() -> None:
    found = (await _suggest(KnownSources(changed(LLAMA_2_7B, private=True)))).recipes
    assert found[0].suitable


async def test_a_batch_that_is_too_large_is_no_objection() -> None:
    found = {one.recipe.id: one for one in (await _suggest(KnownSources(LLAMA_2_7B), hardware=Hardware(gpu_type="L40S"))).recipes}
    assert found["lora"].suitable
    assert found["lora"].recommended
    assert "with smaller batches and checkpointing it fits" in found["lora"].reason
    assert not found["full"].suitable


async def test_what_has_to_fit_is_what_was_asked_for() -> None:
    small = await _suggest(KnownSources(LLAMA_2_7B), hardware=Hardware(gpu_type="T4"))
    large = await _suggest(KnownSources(LLAMA_2_7B), hardware=Hardware(gpu_type="H200"))
    assert not any(one.suitable for one in small.recipes if one.recipe.id == "full")
    assert next(one for one in large.recipes if one.recipe.id == "lora").suitable


async def test_a_model_that_is_not_there_is_an_error() -> None:
    with pytest.raises(InvalidArgument, match="no base model"):
        await _suggest(KnownSources(None))
