"""What was predicted of a job, apart from its definition: lists show it, and residuals are computed from it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("job_jobs", sa.Column("predicted", sa.LargeBinary()))


def downgrade() -> None:
    op.drop_column("job_jobs", "predicted")
