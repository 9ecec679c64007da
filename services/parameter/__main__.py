"""`python -m services.parameter`: the parameter service alone."""

from services.chassis.server import main
from services.parameter.service import build

main("parameter", build)
