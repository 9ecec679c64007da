"""A running registry, through the door of its recipes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.registry.v1 import recipe_pb2
from tunesmith.registry.v1 import recipe_service_pb2 as messages
from tunesmith.registry.v1.recipe_service_pb2_grpc import RecipeServiceStub

from services.chassis.server import client_channel
from tests.unit.services.registry.conftest import House


@dataclass
class Room:
    """The recipes' door."""

    stub: RecipeServiceStub

    async def create(self, content: dict[str, Any], request_id: str = "") -> recipe_pb2.Recipe:
        request = messages.CreateRecipeRequest(recipe=ParseDict(content, messages.RecipeContent()), request_id=request_id)
        return (await self.stub.CreateRecipe(request)).recipe

    async def update(self, recipe_id: str, content: dict[str, Any], request_id: str = "") -> recipe_pb2.Recipe:
        recipe = ParseDict(content, messages.RecipeContent())
        request = messages.UpdateRecipeRequest(id=recipe_id, recipe=recipe, request_id=request_id)
        return (await self.stub.UpdateRecipe(request)).recipe

    async def get(self, name: str) -> recipe_pb2.Recipe:
        return (await self.stub.GetRecipe(messages.GetRecipeRequest(id=name))).recipe

    async def delete(self, recipe_id: str) -> None:
        await self.stub.DeleteRecipe(messages.DeleteRecipeRequest(id=recipe_id))

    async def listed(self, **filters: object) -> list[str]:
        response = await self.stub.ListRecipes(messages.ListRecipesRequest(**filters))
        return [recipe.display_name for recipe in response.recipes]


@pytest.fixture
async def room(house: House, home: Path) -> AsyncIterator[Room]:
    channel = client_channel(f"unix:{home}/registry")
    yield Room(RecipeServiceStub(channel))
    await channel.close()
