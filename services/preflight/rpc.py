"""tunesmith.preflight.v1.PreflightService."""

import grpc
from tunesmith.preflight.v1 import preflight_service_pb2 as messages
from tunesmith.preflight.v1 import preflight_service_pb2_grpc

from services.preflight.sources import Sources
from services.preflight.usecases.check import check_configuration
from services.preflight.usecases.defaults import suggest_defaults
from services.preflight.usecases.rank import rank_providers
from services.preflight.usecases.recipes import suggest_recipes


class PreflightServicer(preflight_service_pb2_grpc.PreflightServiceServicer):
    """Questions about jobs that don't exist yet."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def CheckConfiguration(
        self, request: messages.CheckConfigurationRequest, context: grpc.aio.ServicerContext
    ) -> messages.CheckConfigurationResponse:
        return messages.CheckConfigurationResponse(report=await check_configuration(self._sources, request))

    async def SuggestDefaults(
        self, request: messages.SuggestDefaultsRequest, context: grpc.aio.ServicerContext
    ) -> messages.SuggestDefaultsResponse:
        return await suggest_defaults(self._sources, request)

    async def SuggestRecipes(
        self, request: messages.SuggestRecipesRequest, context: grpc.aio.ServicerContext
    ) -> messages.SuggestRecipesResponse:
        return await suggest_recipes(self._sources, request)

    async def RankProviders(
        self, request: messages.RankProvidersRequest, context: grpc.aio.ServicerContext
    ) -> messages.RankProvidersResponse:
        return await rank_providers(self._sources, request)
