"""The order in which jobs changed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Jobs of before share the first number: no cursor was given out yet.
    op.add_column("job_jobs", sa.Column("change_number", sa.BigInteger(), nullable=False, server_default="1"))
    op.create_index("job_jobs_by_change", "job_jobs", ["project", "change_number"], unique=False)


def downgrade() -> None:
    op.drop_index("job_jobs_by_change", table_name="job_jobs")
    op.drop_column("job_jobs", "change_number")
