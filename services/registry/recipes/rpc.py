"""tunesmith.registry.v1.RecipeService."""

from functools import partial

import grpc
from google.protobuf.message import Message
from sqlalchemy import Connection
from tunesmith.registry.v1 import base_model_pb2, recipe_pb2, recipe_service_pb2_grpc
from tunesmith.registry.v1 import recipe_service_pb2 as messages

from services.chassis.database import Database, now_ms, timestamp
from services.chassis.errors import AlreadyExists
from services.chassis.idempotency import RequestLog
from services.chassis.identity import OWNER, PROJECT
from services.chassis.ids import message_hash, new_id
from services.registry import storage as registry
from services.registry.pages import read_fitting_page
from services.registry.recipes import storage
from services.registry.recipes.content import checked

_TABLE = storage.recipes
_CREATED = RequestLog(registry.requests, "CreateRecipe")
_UPDATED = RequestLog(registry.requests, "UpdateRecipe")


class RecipeServicer(recipe_service_pb2_grpc.RecipeServiceServicer):
    """Ways to train."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def CreateRecipe(
        self, request: messages.CreateRecipeRequest, context: grpc.aio.ServicerContext
    ) -> messages.CreateRecipeResponse:
        recipe = checked(request.recipe, "recipe")
        recipe.id, recipe.project, recipe.owner = new_id(), PROJECT, OWNER

        def create(connection: Connection) -> messages.CreateRecipeResponse:
            _refuse_taken(connection, recipe)
            recipe.create_time.CopyFrom(timestamp(now_ms(connection)))
            recipe.update_time.CopyFrom(recipe.create_time)
            connection.execute(_TABLE.insert().values(storage.recipe_row(recipe)))
            return messages.CreateRecipeResponse(recipe=recipe)

        def work(connection: Connection) -> messages.CreateRecipeResponse:
            kind = messages.CreateRecipeResponse
            return _CREATED.once(connection, PROJECT, request.request_id, message_hash(request), kind, lambda: create(connection))

        return await registry.write(self._database, work)

    async def GetRecipe(
        self, request: messages.GetRecipeRequest, context: grpc.aio.ServicerContext
    ) -> messages.GetRecipeResponse:
        recipe = await self._database.read(lambda connection: storage.find_recipe(connection, PROJECT, request.id))
        return messages.GetRecipeResponse(recipe=recipe)

    async def ListRecipes(
        self, request: messages.ListRecipesRequest, context: grpc.aio.ServicerContext
    ) -> messages.ListRecipesResponse:
        query = storage.listed(PROJECT)
        if request.type:
            query = query.where(_TABLE.c.type == recipe_pb2.RecipeType.Name(request.type))
        if request.modality:
            query = query.where(_TABLE.c.modality == base_model_pb2.Modality.Name(request.modality))
        if request.active_only:
            query = query.where(_TABLE.c.active)
        rows, token = await self._database.read(partial(read_fitting_page, table=_TABLE, query=query, request=request))
        return messages.ListRecipesResponse(recipes=map(storage.recipe, rows), next_page_token=token)

    async def UpdateRecipe(
        self, request: messages.UpdateRecipeRequest, context: grpc.aio.ServicerContext
    ) -> messages.UpdateRecipeResponse:
        recipe = checked(request.recipe, "recipe")

        def update(connection: Connection) -> messages.UpdateRecipeResponse:
            before = connection.execute(storage.listed(PROJECT).where(_TABLE.c.id == request.id)).mappings().one_or_none()
            if before is None:
                raise storage.not_found(request.id)
            _keep_what_is_ours(storage.recipe(before), recipe)
            _refuse_taken(connection, recipe)
            recipe.update_time.CopyFrom(timestamp(now_ms(connection)))
            connection.execute(_TABLE.update().where(_TABLE.c.id == recipe.id).values(storage.recipe_row(recipe)))
            return messages.UpdateRecipeResponse(recipe=recipe)

        def work(connection: Connection) -> messages.UpdateRecipeResponse:
            kind = messages.UpdateRecipeResponse
            return _UPDATED.once(connection, PROJECT, request.request_id, message_hash(request), kind, lambda: update(connection))

        return await registry.write(self._database, work)

    async def DeleteRecipe(
        self, request: messages.DeleteRecipeRequest, context: grpc.aio.ServicerContext
    ) -> messages.DeleteRecipeResponse:
        def work(connection: Connection) -> Message:
            own = (_TABLE.c.project == PROJECT, _TABLE.c.id == request.id)
            connection.execute(
                _TABLE.update()
                .where(*own, _TABLE.c.delete_time_ms.is_(None))
                .values(display_name=None, delete_time_ms=now_ms(connection))
            )
            if connection.execute(_TABLE.select().where(*own)).one_or_none() is None:
                raise storage.not_found(request.id)
            return messages.DeleteRecipeResponse()

        await self._database.write(work)
        return messages.DeleteRecipeResponse()


def _keep_what_is_ours(before: recipe_pb2.Recipe, recipe: recipe_pb2.Recipe) -> None:
    recipe.id, recipe.project, recipe.owner = before.id, before.project, before.owner
    recipe.create_time.CopyFrom(before.create_time)


def _refuse_taken(connection: Connection, recipe: recipe_pb2.Recipe) -> None:
    taken = storage.recipe_of_name(connection, recipe.project, recipe.display_name)
    if taken is not None and taken.id != recipe.id:
        text = (
            f"{recipe.display_name!r} is the name of another recipe (id {taken.id}); update that one, or give this one another "
            "display_name"
        )
        raise AlreadyExists("DISPLAY_NAME_TAKEN", text, {"display_name": recipe.display_name, "id": taken.id})
