"""`python -m services.preflight`: the preflight service alone."""

from services.chassis.server import main
from services.preflight.service import build

main("preflight", build)
