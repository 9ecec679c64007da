"""`tunesmith recipes`, against a real registry."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tunesmith.client.blocking import Tunesmith

from tests.unit.cli.real import Ask, command_line

RECIPE = """\
display_name: Mine
description: for poems
type: RECIPE_TYPE_LORA
defaults:
  method:
    type: TRAINING_METHOD_LORA
    lora_config: {rank: 4}
required_fields: [model.base_model]
recommended: true
"""


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Ask, Tunesmith]]:
    with command_line(monkeypatch) as made:
        yield made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def test_a_recipe_from_its_file_to_its_end(room: tuple[Ask, Tunesmith], file: Path) -> None:
    run, client = room
    empty = run("recipes", "list")
    assert empty.exit_code == 0 and "tunesmith recipes add" in empty.stderr
    added = run("recipes", "add", str(file))
    assert added.exit_code == 0, added.stderr
    recipe = client.recipes.get_recipe(id="Mine").recipe
    assert recipe.defaults.method.lora_config.rank == 4
    assert run("recipes", "list").stdout.splitlines()[1].split()[:3] == [recipe.id, "Mine", "lora"]
    shown = run("recipes", "show", "Mine").stdout
    assert "method.lora_config.rank" in shown and "every one of its modality" in shown
    assert json.loads(run("recipes", "show", recipe.id, "-o", "json").stdout)["recipe"]["display_name"] == "Mine"
    assert yaml.safe_load(run("recipes", "list", "--type", "qlora", "-o", "yaml").stdout)["recipes"] == []
    assert run("recipes", "delete", "Mine").exit_code == 0
    assert run("recipes", "show", "Mine").exit_code == 3


def test_a_recipe_is_replaced_only_if_that_is_asked_for(room: tuple[Ask, Tunesmith], file: Path) -> None:
    run, client = room
    assert run("recipes", "add", "-", input=RECIPE).exit_code == 0
    before = client.recipes.get_recipe(id="Mine").recipe
    again = run("recipes", "add", str(file))
    assert again.exit_code == 1 and "is the name of another recipe" in again.stderr
    file.write_text(RECIPE.replace("rank: 4", "rank: 32"))
    assert run("recipes", "add", str(file), "--replace").exit_code == 0
    after = client.recipes.get_recipe(id="Mine").recipe
    assert (after.id, after.defaults.method.lora_config.rank) == (before.id, 32)


def test_a_mistake_is_told_with_its_line_before_the_server_is_asked(room: tuple[Ask, Tunesmith], file: Path) -> None:
    run, client = room
    file.write_text(RECIPE.replace("{rank: 4}", "{rang: 4}"))
    wrong = run("recipes", "add", str(file))
    assert wrong.exit_code == 2
    assert f"{file}:7: defaults.method.lora_config.rang: no such field; did you mean" in wrong.stderr
    file.write_text("- a")
    assert "holds no recipe" in run("recipes", "add", str(file)).stderr
    refused = run("recipes", "add", "-", input=RECIPE.replace("rank: 4", "rank: 0"))
    assert refused.exit_code == 2 and "rank" in refused.stderr
    assert not client.recipes.list_recipes().recipes
