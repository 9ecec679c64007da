"""`python -m services.registry`: the registry alone."""

from services.chassis.server import main
from services.registry.service import build

main("registry", build)
