"""Removal of datasets from the list, and what was counted of them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("registry_datasets", sa.Column("delete_time_ms", sa.BigInteger(), nullable=True))
    op.create_table(
        "registry_dataset_statistics",
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("counter_key", sa.String(length=64), nullable=False),
        sa.Column("definition", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "counter_key"),
    )


def downgrade() -> None:
    op.drop_table("registry_dataset_statistics")
    op.drop_column("registry_datasets", "delete_time_ms")
