"""Providers as messages, and configurations as providers take them."""

from google.protobuf.json_format import ParseDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.provider.v1 import provider_pb2
from tunesmith.provider.v1.provider_service_pb2 import TranslateConfigurationResponse

from services.chassis.errors import NotFound
from services.chassis.knobs import resolved
from workers.providers import PROVIDERS, names
from workers.providers.provider import REFUSED, Provider


def provider(backend: Provider) -> provider_pb2.Provider:
    """A backend with what it can do."""
    return provider_pb2.Provider(id=backend.id, display_name=backend.display_name, capabilities=backend.capabilities)


def find_provider(provider_id: str) -> Provider:
    """A backend by its id. Raises NotFound with those there are."""
    backend = PROVIDERS.get(provider_id)
    if backend is None:
        raise NotFound("provider", provider_id, names())
    return backend


def translate(backend: Provider, configuration: JobConfiguration) -> TranslateConfigurationResponse:
    """What a backend would be given, unless it refuses a field, and what becomes of each field that was set."""
    filled = resolved(configuration)
    response = TranslateConfigurationResponse(lowering=backend.lower(filled, configuration))
    if not any(field.action == REFUSED for field in response.lowering):
        ParseDict(backend.translate(filled), response.payload)
    return response
