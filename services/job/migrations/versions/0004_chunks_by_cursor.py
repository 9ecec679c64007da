"""Metric chunks of a job in the order of their cursors."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_index("job_metric_chunks_by_cursor", "job_metric_chunks", ["job_id", "cursor"], unique=False)


def downgrade() -> None:
    op.drop_index("job_metric_chunks_by_cursor", table_name="job_metric_chunks")
