"""Which start of its agent a pool was last registered by."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("job_pools", sa.Column("instance_id", sa.String(length=64), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("job_pools", "instance_id")
