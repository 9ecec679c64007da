"""The catalogue's recipes and adapters, as a real registry takes them."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tunesmith import NotFound
from tunesmith.client.blocking import Tunesmith
from tunesmith.client.paging import gather
from tunesmith.registry.v1 import adapter_pb2, base_model_pb2, dataset_pb2, recipe_pb2

from starter.catalog import adapters
from starter.catalog.adapters import seed_adapters
from starter.catalog.recipes import contents, seed_recipes
from tests.fakes.real_registry import real_registry

RECIPES = ["QLoRA", "LoRA", "Full fine-tune", "DPO", "Vision LoRA", "Prompt tuning"]
LLAMA_2_7B = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 11008,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 32000,
    "max_position_embeddings": 4096,
}  # fmt: skip


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tunesmith]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with (
        tempfile.TemporaryDirectory(prefix="tsc-") as folder,
        real_registry(Path(folder)) as registry,
        Tunesmith(registry.address) as made,
    ):
        yield made


def listed(client: Tunesmith) -> list[recipe_pb2.Recipe]:
    return list(gather(client.recipes.list_recipes).recipes)


def test_every_recipe_is_taken_once_and_the_first_to_begin_with_is_first(client: Tunesmith) -> None:
    assert sorted(seed_recipes(client)) == sorted(RECIPES)
    assert seed_recipes(client) == []
    recipes = listed(client)
    assert [recipe.display_name for recipe in recipes] == RECIPES
    assert [recipe.display_name for recipe in recipes if recipe.recommended] == ["QLoRA"]
    assert {recipe.type for recipe in recipes} == set(recipe_pb2.RecipeType.values()) - {recipe_pb2.RECIPE_TYPE_UNSPECIFIED}
    assert all(recipe.active and recipe.description and recipe.required_fields for recipe in recipes)


def test_a_recipe_that_people_changed_stays(client: Tunesmith) -> None:
    seed_recipes(client)
    recipe = client.recipes.get_recipe(id="LoRA").recipe
    changed = next(one for one in contents() if one.display_name == "LoRA")
    changed.defaults.method.lora_config.rank = 4
    client.recipes.update_recipe(id=recipe.id, recipe=changed)
    assert seed_recipes(client) == []
    assert client.recipes.get_recipe(id="LoRA").recipe.defaults.method.lora_config.rank == 4


def test_the_requirements_are_those_of_the_table() -> None:
    """Quantized models allowed, least hidden size, and what rows may be, as the experiments page asks for them."""
    images = {dataset_pb2.DATASET_FORMAT_IMAGE_LABEL, dataset_pb2.DATASET_FORMAT_IMAGE_CAPTION}
    wanted = {
        "LoRA": (True, 64, {dataset_pb2.DATASET_FORMAT_IMAGE_LABEL}),
        "QLoRA": (True, 64, set()),
        "Full fine-tune": (False, 0, {dataset_pb2.DATASET_FORMAT_IMAGE_LABEL}),
        "Vision LoRA": (False, 64, images),
        "Prompt tuning": (True, 0, set()),
    }
    made = {one.display_name: one for one in contents()}
    for name, (quantized, size, seen) in wanted.items():
        one = made[name]
        assert (one.quantized_base_allowed, one.min_hidden_size) == (quantized, size)
        assert set(one.dataset_formats) & images == seen
    assert list(made["DPO"].dataset_formats) == [dataset_pb2.DATASET_FORMAT_PREFERENCE]


def test_the_adapters_fit_llama_2(client: Tunesmith) -> None:
    with pytest.raises(NotFound):
        seed_adapters(client)
    hub = {"repo": adapters.BASE_MODEL, "configuration_json": json.dumps(LLAMA_2_7B)}
    model = client.registry.create_base_model(hub=hub).base_model
    assert model.architecture.hidden_size == 4096
    assert seed_adapters(client) == ["Llama-2-7B Code Adapter", "Llama-2-7B Math Adapter"]
    assert seed_adapters(client) == []
    made = client.adapters.list_adapters(base_model=model.id).adapters
    assert [(one.rank, one.alpha, list(one.target_modules)) for one in made] == [(8, 16.0, ["q_proj", "v_proj"])] * 2
    assert [one.parameter_count for one in made] == [32 * 2 * 2 * 8 * 4096] * 2
    assert all(one.status == adapter_pb2.ADAPTER_STATUS_READY and "changes nothing until" in one.description for one in made)
    total = client.adapters.compose_adapters(
        components=[{"adapter_id": made[0].id, "weight": 0.7}, adapter_pb2.AdapterWeight(adapter_id=made[1].id, weight=0.3)]
    ).adapter
    assert (total.rank, total.display_name) == (16, "Llama-2-7B Math Adapter+Llama-2-7B Code Adapter")


def test_the_same_seed_gives_the_same_adapter() -> None:
    shape = base_model_pb2.ArchitectureShape(hidden_size=8, layer_count=2, attention_head_count=2, key_value_head_count=1)
    model = base_model_pb2.BaseModel(architecture=shape)
    assert adapters.archive(model, 1) == adapters.archive(model, 1) != adapters.archive(model, 2)
