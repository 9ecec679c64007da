"""`python -m services`: every service in one process, the embedded default."""

from services.chassis.server import Service, main
from services.chassis.settings import Settings
from services.job.service import build as build_job
from services.parameter.service import build as build_parameter
from services.preflight.service import build as build_preflight
from services.provider.service import build as build_provider
from services.registry.service import build as build_registry


async def build(settings: Settings) -> list[Service]:
    """All of them; they still talk gRPC to each other, over this process's own address."""
    builds = (build_registry, build_job, build_parameter, build_provider, build_preflight)
    return [service for build_one in builds for service in await build_one(settings)]


main("services", build)
