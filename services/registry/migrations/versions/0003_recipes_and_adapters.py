"""Recipes and adapters."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "registry_recipes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=128), nullable=True),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.String(length=64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("definition", sa.LargeBinary(), nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.Column("delete_time_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project", "display_name"),
    )
    op.create_index("registry_recipes_by_project", "registry_recipes", ["project", "id"], unique=False)
    op.create_table(
        "registry_adapters",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=128), nullable=False),
        sa.Column("base_model_id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("artifact_set_id", sa.String(length=36), nullable=True),
        sa.Column("definition", sa.LargeBinary(), nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.Column("delete_time_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("registry_adapters_by_project", "registry_adapters", ["project", "id"], unique=False)
    op.create_index("registry_adapters_by_base_model", "registry_adapters", ["project", "base_model_id", "id"], unique=False)
    op.create_index("registry_adapters_by_set", "registry_adapters", ["project", "artifact_set_id"], unique=False)


def downgrade() -> None:
    op.drop_index("registry_adapters_by_set", table_name="registry_adapters")
    op.drop_index("registry_adapters_by_base_model", table_name="registry_adapters")
    op.drop_index("registry_adapters_by_project", table_name="registry_adapters")
    op.drop_table("registry_adapters")
    op.drop_index("registry_recipes_by_project", table_name="registry_recipes")
    op.drop_table("registry_recipes")
