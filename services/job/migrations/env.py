"""Alembic's entry for the job service."""

from services.chassis.migrations import run
from services.job.storage import metadata

run("job", metadata)
