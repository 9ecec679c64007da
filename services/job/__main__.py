"""`python -m services.job`: the job service alone."""

from services.chassis.server import main
from services.job.service import build

main("job", build)
