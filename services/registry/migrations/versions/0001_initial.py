"""Datasets, base models, answered requests."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "registry_datasets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(length=64), nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.String(length=36), nullable=True),
        sa.Column("definition", sa.LargeBinary(), nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project", "display_name", "version"),
    )
    op.create_index("registry_datasets_by_project", "registry_datasets", ["project", "id"], unique=False)
    op.create_index("registry_datasets_by_format", "registry_datasets", ["project", "format", "id"], unique=False)
    op.create_table(
        "registry_base_models",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=128), nullable=False),
        sa.Column("hub_repo", sa.String(length=128), nullable=True),
        sa.Column("job_id", sa.String(length=36), nullable=True),
        sa.Column("artifact_set_id", sa.String(length=36), nullable=True),
        sa.Column("definition", sa.LargeBinary(), nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project", "hub_repo"),
        sa.UniqueConstraint("project", "artifact_set_id"),
    )
    op.create_index("registry_base_models_by_project", "registry_base_models", ["project", "id"], unique=False)
    op.create_table(
        "registry_requests",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("method", sa.String(length=128), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "method", "request_id"),
    )


def downgrade() -> None:
    op.drop_table("registry_requests")
    op.drop_index("registry_base_models_by_project", table_name="registry_base_models")
    op.drop_table("registry_base_models")
    op.drop_index("registry_datasets_by_format", table_name="registry_datasets")
    op.drop_index("registry_datasets_by_project", table_name="registry_datasets")
    op.drop_table("registry_datasets")
