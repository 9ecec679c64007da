"""Alembic for services that share a database and no table: each has its own migrations and its own version table."""

from pathlib import Path

from alembic import command, context
from alembic.config import Config
from sqlalchemy import Engine, MetaData

SERVICES = Path(__file__).parent.parent


def migrate(engine: Engine, service: str, version: str = "head") -> None:
    """Bring a service's tables to a version; `head` is the newest."""
    config = Config()
    config.set_main_option("script_location", str(SERVICES / service / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def run(service: str, metadata: MetaData) -> None:
    """What each service's `migrations/env.py` calls."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table=f"alembic_version_{service}",
        transactional_ddl=True,
    )
    context.run_migrations()
