"""Histograms of the trained weights, what would make a job that failed succeed, and where a person wants a job to go on."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "job_histograms",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("layer", sa.String(length=256), nullable=False),
        sa.Column("histogram", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job_jobs.id"]),
        sa.PrimaryKeyConstraint("job_id", "step", "layer"),
    )
    op.add_column("job_jobs", sa.Column("error_fix", sa.LargeBinary()))
    op.add_column("job_jobs", sa.Column("resume_from", sa.String(length=128)))


def downgrade() -> None:
    op.drop_column("job_jobs", "resume_from")
    op.drop_column("job_jobs", "error_fix")
    op.drop_table("job_histograms")
