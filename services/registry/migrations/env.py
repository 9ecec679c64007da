"""Alembic's entry for the registry."""

from services.chassis.migrations import run
from services.registry.storage import metadata

run("registry", metadata)
