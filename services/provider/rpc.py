"""tunesmith.provider.v1.ProviderService."""

import grpc
from tunesmith.provider.v1 import provider_service_pb2 as messages
from tunesmith.provider.v1 import provider_service_pb2_grpc

from services.provider.usecases import find_provider, provider, translate
from workers.providers import PROVIDERS


class ProviderServicer(provider_service_pb2_grpc.ProviderServiceServicer):
    """The backends there are."""

    async def ListProviders(
        self, request: messages.ListProvidersRequest, context: grpc.aio.ServicerContext
    ) -> messages.ListProvidersResponse:
        return messages.ListProvidersResponse(providers=[provider(backend) for backend in PROVIDERS.values()])

    async def GetProvider(
        self, request: messages.GetProviderRequest, context: grpc.aio.ServicerContext
    ) -> messages.GetProviderResponse:
        return messages.GetProviderResponse(provider=provider(find_provider(request.id)))

    async def TranslateConfiguration(
        self, request: messages.TranslateConfigurationRequest, context: grpc.aio.ServicerContext
    ) -> messages.TranslateConfigurationResponse:
        return translate(find_provider(request.id), request.configuration)
