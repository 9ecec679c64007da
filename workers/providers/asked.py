"""What a job asks for of what its provider lets one choose."""

from tunesmith.config.v1 import job_configuration_pb2

from workers.providers import PROVIDERS
from workers.providers.needs import Needs, needs_of
from workers.providers.provider import NeverActs


def needs_for(provider_id: str, configuration: job_configuration_pb2.JobConfiguration) -> Needs:
    """A job's needs. A field that the provider never heeds keeps no job waiting."""
    provider = PROVIDERS.get(provider_id)
    if provider is None:
        return needs_of(configuration)
    heeded = job_configuration_pb2.JobConfiguration(hardware=configuration.hardware)
    for field, _ in configuration.hardware.ListFields():
        if isinstance(provider.rules.get(f"hardware.{field.name}"), NeverActs):
            heeded.hardware.ClearField(field.name)
    return needs_of(heeded)
