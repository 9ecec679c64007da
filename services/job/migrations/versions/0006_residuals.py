"""How far predictions were off, a row for each job that succeeded and had one: the latest are read in one go."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # Jobs of before had no prediction.
    op.create_table(
        "job_residuals",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("end_time_ms", sa.BigInteger(), nullable=False),
        sa.Column("residual", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job_jobs.id"]),
        sa.PrimaryKeyConstraint("job_id"),
    )
    op.create_index("job_residuals_by_time", "job_residuals", ["project", "end_time_ms"], unique=False)
    op.create_index("job_residuals_by_provider", "job_residuals", ["project", "provider", "end_time_ms"], unique=False)


def downgrade() -> None:
    op.drop_table("job_residuals")
