"""`python -m services.provider`: the provider service alone."""

from services.chassis.server import main
from services.provider.service import build

main("provider", build)
